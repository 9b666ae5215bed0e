"""A folder for the hub: the model, its tokenizer and template, a model card; pushed when asked to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.exporters.certified import figures
from smolrecipes.exporters.weights import SafeTensors

if TYPE_CHECKING:
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run


class HubFolder(SafeTensors, name="hub"):
    """The merged model with a model card, ready for the hub; with `push` it goes there, by `hf auth login`'s account."""

    repo: str = option(default="", kw_only=False, affects_weights=False)
    """The repository, as in name/model; needed to push."""
    push: bool = option(default=False, affects_weights=False)
    """Send the folder to the hub. The repository is made, private, where there is none."""
    dtype: Literal["float32", "bfloat16", "float16"] = option(default="float32", affects_weights=False)
    """What the weights are held in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.push and not self.repo:
            raise RecipeError("hub.push: name the repository as well, as in hub.repo=name/model")

    def file(self, run: Run) -> str:
        return f"{self.repo.rpartition('/')[2] or run.folder.name}-hub"

    def check(self, run: Run) -> None:
        from smolrecipes.hub import reachable

        super().check(run)
        if self.push and not reachable():
            raise RecipeError(
                f"hub.push: the hub is not reachable, so nothing was made for {self.repo}; without push the folder is made"
            )

    def export(self, run: Run) -> Path:
        folder = super().export(run)
        if self.push:
            _push(folder, self.repo)
        return folder

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from smolrecipes.exporters.card import card, certificates

        made = super().make(run, target)
        found = [*(one.figures() for one in made), *certificates(run, without=self.file(run))]
        (target / "README.md").write_text(card(run, found), encoding="utf-8")
        (target / "parity.json").write_text(figures(made), encoding="utf-8")
        return made


def _push(folder: Path, repo: str) -> None:
    """Sends a folder that holds; RecipeError where the hub does not take it, and the folder stays."""
    from huggingface_hub import HfApi

    from smolrecipes.console import say

    api = HfApi()
    try:
        api.create_repo(repo, private=True, exist_ok=True)
        say(f"  pushed to {api.upload_folder(repo_id=repo, folder_path=folder)}")
    except Exception as error:
        if not isinstance(error, (OSError, ValueError)) and not type(error).__module__.startswith("httpx"):
            raise
        told = next(iter(str(error).split("\n")), "") or type(error).__name__
        raise RecipeError(
            f"hub.push: {repo} was not sent ({told}); its folder is whole: `hf upload {repo} {folder}` sends it"
        ) from error
