"""The model of a run as training left it, before anything was merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.console import say

if TYPE_CHECKING:
    from smolrecipes.run import Run


def as_trained(run: Run) -> tuple[Any, Any]:
    """Model and tokenizer: the adapter beside the weights that it was trained on, where one was trained."""
    from smolrecipes.ask.load import load

    model, tokenizer = load(run.model)
    if not run.adapter.is_dir():
        return model, tokenizer
    base = base_with(run, tokenizer)
    if base is None or not run.recipe.adapter:
        say(
            f"{run.folder}: its adapter was trained on weights that are kept nowhere, so the merged model stands for both"
        )
        return model, tokenizer
    from peft import load_peft_weights, set_peft_model_state_dict

    adapted = run.recipe.adapter.apply(base, tokenizer)
    set_peft_model_state_dict(adapted, load_peft_weights(str(run.adapter), device="cpu"))
    return adapted.to(model.device).eval(), tokenizer


def base_with(run: Run, tokenizer: Any) -> Any:
    """The model that a run began with, its vocabulary and head those of the training; None where it began with random weights."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.evaluation import base_of

    begun, objective = run.recipe.model, run.recipe.objective
    where = base_of(run.recipe, run.model)
    if where is None:
        return None
    architecture = begun if isinstance(begun, Pretrained) else Pretrained(str(where))
    return architecture.build(tokenizer, objective.head, len(objective.classes) or 1)


def questions(run: Run) -> list[str]:
    """What the run asked its model at the end."""
    return [str(asked[0]) for asked in run.results.get("samples", [])]
