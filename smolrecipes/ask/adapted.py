"""An adapter that lies alone, in a checkpoint, put over the model that its run began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smolrecipes.errors import RecipeError
from smolrecipes.hub import sentences


def adapted(folder: Path, run: Path) -> tuple[Any, Any]:
    """The plain model with the adapter's updates in its weights, made as its run makes it, and the tokenizer."""
    from smolrecipes.launch import hush

    hush()
    from peft import load_peft_weights, set_peft_model_state_dict
    from transformers import AutoTokenizer

    from smolrecipes.adapters.merge import merged
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.evaluation import base_of, recipe_of

    recipe = recipe_of(run / "model")
    base = base_of(recipe, run / "model") if recipe else None
    if recipe is None or recipe.adapter is None or base is None:
        raise RecipeError(f"{folder} holds an adapter alone, and no recipe beside it says over which model; {_MEND}")
    if recipe.objective.head != "causal":
        raise RecipeError(f"{folder}: this model writes no text ({recipe.objective.name}), so it does not chat")
    with sentences(str(folder)):
        tokenizer = AutoTokenizer.from_pretrained(folder)
    built = recipe.model if isinstance(recipe.model, Pretrained) else Pretrained(str(base))
    model = recipe.adapter.apply(built.build(tokenizer), tokenizer)
    with sentences(str(folder)):
        loaded = set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
    if loaded.unexpected_keys:
        raise RecipeError(f"{folder} holds weights that its run's adapter has no place for; {_MEND}")
    return merged(model), tokenizer


_MEND = "give a folder with a whole model, such as a finished run"
