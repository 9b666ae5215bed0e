"""A folder for the hub: the model, its tokenizer and template, a model card; pushed when asked to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.exporters.certified import Certified

if TYPE_CHECKING:
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run


class HubFolder(Certified, name="hub"):
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

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from smolrecipes.exporters.card import certificates, write_into
        from smolrecipes.exporters.trained import as_trained
        from smolrecipes.exporters.weights import reloaded, save

        model, tokenizer = as_trained(run)
        save(run, target, self.dtype, "5GB")
        certificate = reloaded(run, model, tokenizer, target, self.dtype)
        write_into(run, target, [json.loads(certificate.json()), *certificates(run)])
        if self.push and not certificate.problem:
            _push(target, self.repo)
        return [certificate]


def _push(folder: Path, repo: str) -> None:
    from huggingface_hub import HfApi

    from smolrecipes.console import say
    from smolrecipes.hub import reachable, sentences

    if not reachable():
        raise RecipeError(
            f"hub.push: the hub is not reachable, so nothing was sent to {repo}; without push the folder is made"
        )
    with sentences(repo):
        api = HfApi()
        api.create_repo(repo, private=True, exist_ok=True)
        say(f"  pushed to {api.upload_folder(repo_id=repo, folder_path=folder)}")
