"""Models that say one thing of a text, of two, or of a text with each of its choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.ask.answer import Answer, Wish, listed, ranked
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Layout

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Objective

LONGEST = 1 << 20
"""Tokens of a text for a model without a limit."""


def classify(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """The classes and their probabilities."""
    from smolrecipes.objectives.classification import Classification
    from smolrecipes.objectives.tasks import answered

    names = classes(model)
    row = {"texts": list(texts), "label": names[0]}
    logits = answered(model, _batch(Classification(labels=tuple(names)), row, model, tokenizer), of="text").logits[0]
    found = ranked(names, logits.float().softmax(-1).tolist(), max(wish.top, 2))
    return Answer(listed(found), {"label": found[0][0], "probabilities": dict(found)})


def rate(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """A number, on the scale of the labels."""
    from smolrecipes.objectives.regression import Regression
    from smolrecipes.objectives.tasks import answered

    row = {"texts": list(texts), "label": 0.0}
    said = float(answered(model, _batch(Regression(), row, model, tokenizer), of="text").logits.float())
    low, high = getattr(model.config, "label_scale", None) or (0.0, 1.0)
    value = low + said * (high - low)
    return Answer(f"{value:.3f}", {"value": value})


def choose(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """The choices and their probabilities, the likeliest first."""
    from smolrecipes.objectives.multiple_choice import MultipleChoice
    from smolrecipes.objectives.tasks import answered

    text, *choices = texts
    row = {"text": text, "choices": choices, "label": 0}
    logits: Tensor = answered(model, _batch(MultipleChoice(), row, model, tokenizer), of="choice").logits.flatten()
    found = ranked(choices, logits.float().softmax(-1).tolist(), len(choices))
    lines = "\n".join(f"{share:6.1%}  {choice}" for choice, share in found)
    return Answer(lines, {"choice": found[0][0], "probabilities": [list(one) for one in found]})


def classes(model: Any) -> list[str]:
    """The names of the classes in the order of their ids."""
    return [str(model.config.id2label[i]) for i in range(model.config.num_labels)]


def _batch(objective: Objective, row: dict[str, Any], model: Any, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The row as its objective's batch of one, on the model's device."""
    from smolrecipes.objectives.tasks import placed

    example = objective.prepare({**row, "origin": "the text"}, tokenizer, longest(model))
    if example is None or example.get("cut"):
        raise RecipeError(f"the text is longer than the {longest(model):,} tokens that the model reads, or empty")
    return placed(objective.collate([example], plain_layout(model, tokenizer)), model)


def longest(model: Any) -> int:
    """Tokens that it reads."""
    from smolrecipes.architectures.sizes import readable

    return readable(model.config) or LONGEST


def plain_layout(model: Any, tokenizer: PreTrainedTokenizerBase) -> Layout:
    """Side by side with nothing: one text, as transformers itself reads it."""
    from smolrecipes.architectures.sizes import first_position

    return Layout(tokenizer.pad_token_id or 0, first=first_position(model.config))
