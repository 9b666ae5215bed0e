"""What is looked at: a recipe's rows, tokenizer and some of its examples; later on its model and trainer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smolrecipes.kinds import Architecture, Objective, Tokenizer
from smolrecipes.recipe import Recipe

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SAMPLE = 400
"""Rows that are prepared to look at their labels."""
LONGEST = 50_000
"""Characters of a text that are."""


@dataclass(frozen=True)
class Subject:
    """A recipe, and what it was read into."""

    recipe: Recipe
    objective: Objective
    rows: Dataset
    held_out: Dataset | None
    tokenizer: PreTrainedTokenizerBase
    trainer: Any = None
    """None where only the light checks are made."""

    @cached_property
    def sample(self) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Rows, evenly spread, each with the example that the objective makes of it."""
        from smolrecipes.workers import examples

        step = max(1, -(-len(self.rows) // SAMPLE))
        rows = [beginning(self.rows[index]) for index in range(0, len(self.rows), step)]
        made = examples(self.objective, rows, self.tokenizer, self.recipe.training.max_length)
        return [(row, example and {**example, "origin": row["origin"]}) for row, example in zip(rows, made)]


def beginning(row: dict[str, Any]) -> dict[str, Any]:
    """The row, a long text shortened."""
    text = row.get("text")
    return {**row, "text": text[:LONGEST]} if isinstance(text, str) else row


def read(recipe: Recipe) -> Subject:
    """A recipe's rows and tokenizer; what it builds on is not trained, its tokenizer is learned from its own rows."""
    from smolrecipes.assemble import load_rows
    from smolrecipes.build import check_fit

    check_fit(recipe)
    rows, held_out, _ = load_rows(recipe)
    objective = recipe.objective.fitted(rows)
    return Subject(recipe.replace(objective=objective), objective, rows, held_out, tokenizer_of(recipe, rows))


def tokenizer_of(recipe: Recipe, rows: Dataset | None = None) -> PreTrainedTokenizerBase:
    """What a recipe reads its rows with, which are read where they are not given."""
    from smolrecipes.assemble import load_rows
    from smolrecipes.build import build_tokenizer

    base = _base(recipe)
    if recipe.tokenizer is None and base is not None:
        return tokenizer_of(base)
    return build_tokenizer(recipe, load_rows(recipe)[0] if rows is None else rows)


def _base(recipe: Recipe) -> Recipe | None:
    """The recipe whose tokenizer this one takes, where it has none: its model's, or its teacher's."""
    from smolrecipes.architectures.trained import Trained

    parts = (recipe.model, getattr(recipe.objective, "teacher", None))
    return next((part.recipe for part in parts if isinstance(part, Trained)), None)


def untrained(recipe: Recipe) -> Recipe:
    """The recipe with the models that it builds on as they are before they are trained."""
    base, tokenizer = _base(recipe), recipe.tokenizer
    while tokenizer is None and base is not None:
        tokenizer, base = _learned(base), _base(base)
    objective = recipe.objective
    if taught_by := getattr(objective, "teacher", None):
        objective = objective.replace(**{"teacher": _raw(taught_by)})
    return recipe.replace(model=_raw(recipe.model), tokenizer=tokenizer, objective=objective)


def _raw(model: Any) -> Architecture:
    from smolrecipes.architectures.trained import Trained

    while isinstance(model, Trained):
        model = model.recipe.model
    assert isinstance(model, Architecture)
    return model


def _learned(recipe: Recipe) -> Tokenizer | None:
    """A base's tokenizer, which learns from that base's rows."""
    own = recipe.tokenizer
    assert own is None or isinstance(own, Tokenizer)
    if getattr(own, "data", own) is not None:  # it learns from nothing, or from rows of its own
        return own
    return own.replace(**{"data": recipe.data}) if own else None
