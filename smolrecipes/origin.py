"""Where a trained model came from: its run, that run's recipe, and the model that it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Weights

if TYPE_CHECKING:
    from smolrecipes.recipe import Recipe


def run_of(place: Path) -> Path | None:
    """The run in whose folder a model, an adapter, a checkpoint or an exported file lies."""
    return next((folder for folder in place.absolute().parents[:3] if (folder / "recipe.json").is_file()), None)


def kept_for(source: Path) -> Path:
    """Where rows lie that were prepared for the run that a path names, or lies in; where they are kept now, if it is none."""
    from smolrecipes.cache import place
    from smolrecipes.named import run_at

    run = run_of(run_at(source.expanduser()) / "model")
    return run.resolve().parent / ".cache" if run else place()


def recipe_of(place: Path) -> Recipe | None:
    """The recipe of that run, without the callbacks, evaluators and exporters whose classes lie in a recipe file; steps of data
    preparation whose code lies there are `Elsewhere`, and refuse to make rows."""
    from smolrecipes.serialize import UNREGISTERED, loads

    run = run_of(place)
    if run is None:
        return None
    text = (run / "recipe.json").read_text(encoding="utf-8")
    if UNREGISTERED in text:
        stored = json.loads(text)
        for option in ("callbacks", "evaluators", "exporters"):
            stored[option] = [part for part in stored[option] if UNREGISTERED not in json.dumps(part)]
        text = json.dumps(stored)
    return loads(text, str(run / "recipe.json"), _readable)


def _readable(stored: Any) -> Any:
    """What recipe.json holds, with `Elsewhere` for each step that no stored recipe can bring back."""
    from smolrecipes.serialize import UNREGISTERED, function_in
    from smolrecipes.transforms.elsewhere import Elsewhere

    if isinstance(stored, list):
        return [_readable(item) for item in stored]
    if not isinstance(stored, dict):
        return stored
    kind, _, name = str(stored.get("use")).partition(":")
    if kind == "transform" and (code := stored.get(UNREGISTERED) or function_in(stored)):
        return Elsewhere(name, str(code))
    return {key: _readable(item) for key, item in stored.items()}


def model_of(place: Path) -> Path:
    """The folder itself; of a GGUF file the model of the run from which it was exported."""
    if place.suffix != ".gguf":
        return place
    if (run := run_of(place)) is None:
        raise RecipeError(f"{place}: it lies in no run's exports/, so nobody knows its tokenizer and its held-out rows")
    return run / "model"


def base_of(place: Path, recipe: Recipe | None) -> Weights | None:
    """The model that its run, of this recipe, began with, where it began with no random weights."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.architectures.trained import Trained

    run = run_of(place)
    if run is None or recipe is None:
        return None
    if isinstance(recipe.model, Trained):
        return Weights(str(_trained_in(run, recipe.model.recipe)))
    return Weights(recipe.model.path, recipe.model.revision) if isinstance(recipe.model, Pretrained) else None


def _trained_in(run: Path, recipe: Recipe) -> Path:
    """The model of the stage before: as the lineage says, which older runs' does not."""
    from smolrecipes import lineage
    from smolrecipes.run import place

    named = lineage.read(run / "lineage.json").get("base")
    return run.parent / named / "model" if named else place(recipe, run.parent).model
