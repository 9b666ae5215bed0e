"""Whether a recipe's tokenizer is the one that its model has learned with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from smolrecipes.check.finding import Finding
from smolrecipes.check.subject import tokenizer_of
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.check.subject import Subject
    from smolrecipes.recipe import Recipe

OTHERS = 0.1
"""The share of the model's tokens that mean something else from which on it is said; adding tokens changes none."""


def tokenizer(subject: Subject) -> Iterator[Finding]:
    """A tokenizer that is named beside a model that comes with one."""
    own = _own(subject.recipe) if subject.recipe.tokenizer is not None else None
    if own is None:
        return
    known, given = own.get_vocab(), subject.tokenizer.get_vocab()
    other = sum(given.get(token) != index for token, index in known.items())
    if other > OTHERS * len(known):
        what = f"the model has learned {len(known):,} tokens, of which the recipe's tokenizer reads {other:,} otherwise"
        yield Finding("model-other-tokenizer", what)


def _own(recipe: Recipe) -> PreTrainedTokenizerBase | None:
    """The tokenizer that comes with the model; None for a new model, and for weights that were saved without."""
    from smolrecipes.architectures.trained import Trained

    assert isinstance(recipe.model, Architecture)
    if isinstance(recipe.model, Trained):
        return tokenizer_of(recipe.model.recipe)
    with suppress(RecipeError):  # nothing is missing: the recipe names one
        found = recipe.model.tokenizer()
        return found.build(None) if found is not None else None
    return None
