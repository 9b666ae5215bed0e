"""Names of classes: found in training rows, and looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable


def found(labels: Iterable[Any], who: str) -> tuple[str, ...]:
    """The different labels as names: numbers by size, words in alphabetical order."""
    different = set(labels)
    if any(isinstance(label, float) for label in different):
        raise RecipeError(
            f"{who}: the labels are numbers with fractions, which are learned as such by objective=regression"
        )
    names = tuple(str(label) for label in sorted(different))
    if len(names) < 2:
        raise RecipeError(
            f"{who}: every label is {names[0]!r}; there is nothing to tell apart"
            if names
            else f"{who}: there are no labels"
        )
    return names


def number(label: Any, classes: tuple[str, ...]) -> int:
    """The place of a label among the classes."""
    if str(label) not in classes:
        known = ", ".join(classes[:12]) + (f" and {len(classes) - 12} more" if len(classes) > 12 else "")
        raise RecipeError(
            f"the label {str(label)!r} is none of the training rows'{nearest(str(label), classes)} (they are: {known}; "
            "objective.labels=... names others)"
        )
    return classes.index(str(label))
