"""What chat and try have in common: the folder of a run's model, and how it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from smolrecipes.decoding import Decoding
    from smolrecipes.run import Run


def model_folder(path: Path, adapters: bool = False) -> Path:
    """The folder with the model of a run, or the folder itself; with `adapters`, one with an adapter alone as well."""
    from smolrecipes.named import run_at

    for where in map(run_at, (path, Path("runs") / path)):
        for folder in (where / "model", where):
            if (folder / "config.json").is_file() or (adapters and is_adapter(folder)):
                return folder
        if where.is_dir():
            raise RecipeError(f"{where}: there is no trained model in it; {_instead(where)}")
    if path.is_file():
        raise RecipeError(f"{path}: it is a file; name a run, a checkpoint or a folder with a model")
    runs = [item.name for item in Path("runs").iterdir()] if Path("runs").is_dir() else []
    hint = nearest(path.name, runs) or "; train one with 'smolrecipes run'"
    raise RecipeError(f"{path}: there is no such run or folder{hint}")


def model_or_file(path: Path) -> Path:
    """The same, or the GGUF file that the path names."""
    if path.is_file() and path.suffix != ".gguf":
        raise RecipeError(
            f"{path}: it is a file, and of files only a .gguf is taken; name a run, a folder with a model"
        )
    return path if path.is_file() else model_folder(path)


def run_of_file(path: Path) -> Run | None:
    """The finished run of a recipe file, with the classes that are written there; None where the path is none."""
    from smolrecipes.load import load_recipe
    from smolrecipes.override import resolve
    from smolrecipes.run import place

    if path.suffix != ".py" or not path.is_file():
        return None
    found = place(resolve(load_recipe(str(path), [])), Path("runs"))
    if not found.finished:
        raise RecipeError(f"{path}: it has no finished run in runs/; train it with 'smolrecipes run {path}'")
    return found


def finished_run(path: Path) -> Run:
    """The run that a path names, or that of a recipe file; RecipeError where it is none, or not finished."""
    from smolrecipes.origin import recipe_of
    from smolrecipes.run import Run

    if own := run_of_file(path):
        return own
    folder = model_folder(path)
    recipe, where = recipe_of(folder), folder.parent
    where = (
        where.with_name(where.resolve().name) if where.is_symlink() else where
    )  # runs/last: exports bear the run's name
    if recipe is None or not (found := Run(where, recipe)).finished:
        raise RecipeError(f"{path}: it is not a finished run, which has recipe.json, results.json and a folder model/")
    return found


def is_adapter(folder: Path) -> bool:
    """Whether an adapter lies there with its tokenizer and no model, as in a checkpoint of a LoRA's training."""
    here = [(folder / f"{name}config.json").is_file() for name in ("adapter_", "tokenizer_", "")]
    return here == [True, True, False]


def _instead(run: Path) -> str:
    """What has a model where a run has none yet."""
    from smolrecipes.checkpoints import newest

    last, _ = newest(run / "checkpoints")
    return f"its newest checkpoint is {last}" if last else "a finished run has a folder model/"


def run_folder(folder: Path) -> Path:
    """The run that a model, an adapter or a checkpoint belongs to, if it belongs to one."""
    parent = folder.absolute().parent
    return parent.parent if parent.name == "checkpoints" else parent


def decoding(folder: Path, least: int = 0, **asked: Any) -> Decoding:
    """The recipe's decoding where there is a recipe, with what the command line changes; None changes nothing.

    least: tokens that may be written at least, where the command line does not say it.
    """
    from smolrecipes.decoding import Decoding

    stored = run_folder(folder) / "recipe.json"
    found = _stored(stored) if stored.is_file() else Decoding()
    changes = {name: value for name, value in asked.items() if value is not None}
    return changed(found, {"max_new_tokens": max(least, found.max_new_tokens), **changes})


def changed(found: Decoding, changes: dict[str, Any]) -> Decoding:
    """Decoding with changes; at a temperature of 0 its options of sampling have no meaning and go."""
    from smolrecipes.decoding import SAMPLED

    if changes.get("temperature") == 0:
        changes = {name: found.options()[name].default for name in SAMPLED} | changes
    return found.replace(**changes)


def learned_texts(folder: Path) -> bool:
    """Whether a run's objective reads plain texts, so that its model continues them, whatever its tokenizer could do."""
    import json

    from smolrecipes.registry import registry

    stored = run_folder(folder) / "recipe.json"
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
