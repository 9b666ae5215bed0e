"""The model of a run as training left it, before anything was merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.console import say

if TYPE_CHECKING:
    from smolrecipes.run import Run


def as_trained(run: Run) -> tuple[Any, Any]:
    """Model and tokenizer: the adapter beside the weights that it was trained on, where one was trained."""
    from smolrecipes.ask.adapted import base_with, beside
    from smolrecipes.ask.load import load

    model, tokenizer = load(run.model)
    if not run.adapter.is_dir():
        return model, tokenizer
    base = base_with(run.recipe, run.folder, tokenizer)
    if base is None:
        say(
            f"{run.folder}: its adapter was trained on weights that are kept nowhere, so the merged model stands for both"
        )
        return model, tokenizer
    return beside(run.recipe, base, tokenizer, run.adapter).to(model.device).eval(), tokenizer
