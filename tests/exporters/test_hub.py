"""A folder for the hub, and how it gets there, with the hub's own client faked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from smolrecipes import GGUF, MLM, XLM, HubFolder, RecipeError, WordPiece, hub
from smolrecipes.exporters import weights


def test_a_hub_folder_has_a_card_with_the_figures(made: Any) -> None:
    folder = HubFolder("me/tiny").export(made())
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n") and "pipeline_tag: text-generation" in card
    assert "| safetensors float32 | 26 of 26 | 5 of 5 |" in card and "| accuracy |  | 0.5 |" in card
    assert folder.name == "tiny-hub" and "Recipe(" in card


def test_offline_nothing_is_pushed_and_that_is_said(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "reachable", lambda: False)
    monkeypatch.setattr(weights, "save", lambda *given: pytest.fail("it began to work"))
    run = made()
    with pytest.raises(RecipeError, match="the hub is not reachable, so nothing was made for me/tiny"):
        HubFolder("me/tiny", push=True).export(run)
    with pytest.raises(RecipeError, match="name the repository as well"):
        HubFolder(push=True)


class Hub:
    """HfApi's two methods, noting what is sent."""

    sent: dict[str, list[str]] = {}
    fails: Exception | None = None

    def create_repo(self, repo: str, *, private: bool, exist_ok: bool) -> None:
        assert private and exist_ok

    def upload_folder(self, *, repo_id: str, folder_path: Path) -> str:
        if Hub.fails:
            raise Hub.fails
        Hub.sent[repo_id] = sorted(path.name for path in folder_path.iterdir())
        return f"https://huggingface.co/{repo_id}"


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr(hub, "reachable", lambda: True)
    monkeypatch.setattr(Hub, "sent", {})
    return Hub


def test_what_is_pushed_is_the_folder_with_card_and_certificate(made: Any, faked: type[Hub]) -> None:
    folder = HubFolder("me/tiny", push=True).export(made())
    assert faked.sent == {"me/tiny": sorted(path.name for path in folder.iterdir())}
    assert {"README.md", "parity.json", "model.safetensors", "tokenizer.json"} <= set(faked.sent["me/tiny"])


def test_a_push_that_fails_leaves_the_folder(made: Any, faked: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    """It was pushed while it was made, and a network that failed took what had been compared with it."""
    monkeypatch.setattr(faked, "fails", ConnectionError("Connection reset by peer\nmore"))
    run = made()
    with pytest.raises(RecipeError, match=r"hub.push: me/tiny was not sent \(Connection reset by peer\).*`hf upload"):
        HubFolder("me/tiny", push=True).export(run)
    assert (run.folder / "exports" / "tiny-hub" / "model.safetensors").exists()
    assert (run.folder / "exports" / "tiny-hub.parity.json").exists()


def test_a_folder_made_again_tells_of_itself_once(made: Any) -> None:
    run = made()
    HubFolder("me/tiny", shard="100KB").export(run)
    folder = HubFolder("me/tiny", shard="100KB").export(run)
    assert (folder / "README.md").read_text().count("| safetensors float32 |") == 1
    assert len(list(folder.glob("model-*.safetensors"))) > 1


def test_the_task_follows_from_the_head(made: Any) -> None:
    """XLM's masked models have a class whose name ends as GPT's does."""
    run = made(XLM(layers=1, hidden=32, heads=2, max_length=64), tokenizer=WordPiece(vocab_size=400, specials="xlm"),
               objective=MLM(), head="masked")  # fmt: skip
    assert "pipeline_tag: fill-mask" in (HubFolder().export(run) / "README.md").read_text()
    with pytest.raises(RecipeError, match="which XLM.* does not"):
        GGUF().export(run)
