"""Where exports are put: nothing of anybody else is touched, and a kill or a full disk leaves what the next call mends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smolrecipes import RecipeError, SafeTensors, files


def test_what_somebody_else_calls_partial_is_kept(made: Any, tmp_path: Path) -> None:
    """`partial-NAME` beside the place was removed unasked."""
    (tmp_path / "partial-mine").mkdir()
    (tmp_path / "partial-mine" / "thesis.txt").write_text("years of work")
    SafeTensors(out=str(tmp_path / "mine")).export(made())
    assert (tmp_path / "partial-mine" / "thesis.txt").read_text() == "years of work"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("partial-mine-")]


def test_an_end_before_it_is_moved_leaves_what_the_next_call_replaces(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate came last: an export without one was refused as somebody else's."""
    run, plain = made(), files.write_text

    def ends(file: Path, text: str) -> None:
        plain(file, text)
        if file.name.endswith(".parity.json"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_text", ends)
        with pytest.raises(KeyboardInterrupt):
            SafeTensors().export(run)
    assert SafeTensors().export(run).is_dir()


@pytest.mark.parametrize("name", ["tiny-00000000-float32.parity.json", "README.md"])
def test_a_certificate_or_a_card_that_cannot_be_written_is_one_sentence(
    made: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run, plain = made(), files.write_text

    def full(file: Path, text: str) -> None:
        if file.name == name:
            raise OSError(28, "No space left on device", str(file))
        plain(file, text)

    monkeypatch.setattr(files, "write_text", full)
    from smolrecipes.exporters import card

    monkeypatch.setattr(card, "write_text", full)
    with pytest.raises(RecipeError, match=rf"cannot be written \(OSError.*{name}"):
        SafeTensors().export(run)


def test_the_card_tells_also_of_what_was_put_elsewhere(made: Any, tmp_path: Path) -> None:
    run = made()
    SafeTensors(out=str(tmp_path / "there")).export(run)
    assert "| safetensors float32 |" in (run.folder / "README.md").read_text()
    assert (tmp_path / "there.parity.json").exists()
