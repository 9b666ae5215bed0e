"""What chat and try have in common: the folder of a run's model, and how it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from smolrecipes.decoding import Decoding
    from smolrecipes.run import Run


def model_folder(path: Path) -> Path:
    """The folder with the model of a run, or the folder itself."""
    from smolrecipes.named import run_at

    for where in map(run_at, (path, Path("runs") / path)):
        for folder in (where / "model", where):
            if (folder / "config.json").is_file():
                return folder
        if where.is_dir():
            raise RecipeError(f"{where}: there is no trained model in it; a finished run has a folder model/")
    runs = [item.name for item in Path("runs").iterdir()] if Path("runs").is_dir() else []
    hint = nearest(path.name, runs) or "; train one with 'smolrecipes run'"
    raise RecipeError(f"{path}: there is no such run or folder{hint}")


def finished_run(path: Path) -> Run:
    """The run that a path names; RecipeError where it is none, or not finished."""
    from smolrecipes.evaluation import recipe_of
    from smolrecipes.run import Run

    folder = model_folder(path)
    recipe = recipe_of(folder)
    if recipe is None or not (found := Run(folder.parent, recipe)).finished:
        raise RecipeError(f"{path}: it is not a finished run, which has recipe.json, results.json and a folder model/")
    return found


def decoding(folder: Path, least: int = 0, **asked: Any) -> Decoding:
    """The recipe's decoding where there is a recipe, with what the command line changes; None changes nothing.

    least: tokens that may be written at least, where the command line does not say it.
    """
    from smolrecipes.decoding import SAMPLED, Decoding

    stored = folder.parent / "recipe.json"
    found = _stored(stored) if stored.is_file() else Decoding()
    changes = {name: value for name, value in asked.items() if value is not None}
    if changes.get("temperature") == 0:  # then the recipe's options of sampling have no meaning
        changes = {name: found.options()[name].default for name in SAMPLED} | changes
    changes.setdefault("max_new_tokens", max(least, found.max_new_tokens))
    return found.replace(**changes)


def learned_texts(folder: Path) -> bool:
    """Whether a run's objective reads plain texts, so that its model continues them, whatever its tokenizer could do."""
    import json

    from smolrecipes.registry import registry

    stored = folder.parent / "recipe.json"
    if not stored.is_file():
        return False
    used = str(json.loads(stored.read_text(encoding="utf-8")).get("objective", {}).get("use", ""))
    known = registry().names("objective")
    objective: Any = registry().find("objective", name) if (name := used.removeprefix("objective:")) in known else None
    return objective is not None and objective.rows[0] == "text"


def _stored(file: Path) -> Decoding:
    """Of recipe.json only this part: a model can be asked when the plugins that trained it are gone."""
    import json

    from smolrecipes.decoding import Decoding

    return Decoding(**json.loads(file.read_text(encoding="utf-8"))["decoding"])


def printable(text: str) -> str:
    """Without what would steer the terminal: a barely trained model writes any byte."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
