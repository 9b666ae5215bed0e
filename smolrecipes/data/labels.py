"""The labels of labelled rows, all of one type: text, whole numbers, or numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

from smolrecipes.errors import RecipeError

_NUMBER = re.compile(r"-?\d{1,18}(\.\d+)?")
TYPES: dict[type, str] = {str: "string", int: "int64", float: "float64"}
"""What Arrow calls them."""


def of_one_type(labels: Sequence[Any]) -> list[Any]:
    """Labels as they are, all text or all numbers, whole ones where all are; RecipeError for a mixture."""
    if odd := [label for label in labels if not isinstance(label, (str, Real))]:
        raise RecipeError(f"label: {odd[0]!r:.40} is neither text nor a number; give each row a label that is")
    if len({isinstance(label, str) for label in labels}) > 1:
        raise mixed()
    if not labels or isinstance(labels[0], str):
        return list(labels)
    whole = all(isinstance(label, Integral) for label in labels)
    return [int(label) if whole else float(label) for label in labels]


def as_read(labels: Sequence[Any]) -> list[Any]:
    """All numbers (also where a table spelt them as text), whole ones where all are; or all text."""
    found = of_one_type(labels)
    return list(found) if spell_words(found) else numbers(found, whole=spell_whole(found))


def spell_words(labels: Iterable[Any]) -> bool:
    """Whether some are text that is no number."""
    return any(isinstance(label, str) and not _NUMBER.fullmatch(label) for label in labels)


def spell_whole(labels: Iterable[Any]) -> bool:
    """Whether all are whole numbers, or text that spells them."""
    return all(float(label).is_integer() for label in labels)


def numbers(labels: Iterable[Any], *, whole: bool) -> list[Any]:
    """Numbers of labels that are, or spell, some."""
    read = [_number(label) for label in labels]
    return [int(number) if whole else float(number) for number in read]


def arrow_type(labels: Sequence[Any]) -> str:
    """What Arrow calls the type of labels that are all of one."""
    return TYPES.get(type(labels[0]), "int64") if labels else "int64"


def mixed() -> RecipeError:
    """The error about labels that are of two types."""
    return RecipeError("label: some labels are numbers and some are text; write them alike")


def _number(label: Any) -> Any:
    if isinstance(label, str):
        return float(label) if "." in label else int(label)
    return label
