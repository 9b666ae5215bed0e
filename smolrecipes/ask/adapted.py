"""An adapter that lies beside a model or alone, in a checkpoint, put over the model that its run began with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.hub import sentences

if TYPE_CHECKING:
    from smolrecipes.recipe import Recipe


def adapted(folder: Path, run: Path) -> tuple[Any, Any]:
    """The plain model with the adapter's updates in its weights, made as its run makes it, and the tokenizer; as `load`."""
    from smolrecipes.launch import hush

    hush()
    from accelerate import PartialState
    from transformers import AutoTokenizer

    from smolrecipes.adapters.merge import merged
    from smolrecipes.ask.load import check_head
    from smolrecipes.origin import recipe_of

    recipe = recipe_of(folder)
    with sentences(str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if recipe and recipe.adapter:
        check_head(folder, recipe.objective.head, tokenizer, "it does not chat")
    base = base_with(recipe, run, tokenizer) if recipe and recipe.adapter else None
    if recipe is None or base is None:
        raise RecipeError(f"{folder} holds an adapter alone, and no recipe beside it says over which model; {_MEND}")
    model = merged(beside(recipe, base, tokenizer, folder))
    return model.to(PartialState().default_device).eval(), tokenizer


def base_with(recipe: Recipe, run: Path, tokenizer: Any) -> Any:
    """The model that a run began with, with the vocabulary and head of its training; None where it began with random weights."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.origin import base_of

    begun, objective, base = recipe.model, recipe.objective, base_of(run / "model", recipe)
    if base is None:
        return None
    built = begun if isinstance(begun, Pretrained) else Pretrained(base.path)
    return built.build(tokenizer, objective.head, len(objective.classes) or 1)


def beside(recipe: Recipe, base: Any, tokenizer: Any, folder: Path) -> Any:
    """The base with the recipe's adapter beside its weights, as it was trained; its updates lie in `folder`."""
    from peft import load_peft_weights, set_peft_model_state_dict

    assert recipe.adapter is not None
    model = recipe.adapter.apply(base, tokenizer)
    with sentences(str(folder)):
        loaded = set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
    if loaded.unexpected_keys:
        raise RecipeError(f"{folder} holds weights that its run's adapter has no place for; {_MEND}")
    return model


_MEND = "give a folder with a whole model, such as a finished run"
