"""Answers that are right to the letter, or to the number."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from smolrecipes.evaluators.answers import Answers

_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


class ExactMatch(Answers, name="exact_match"):
    """The share of answers that are what is right.

    number: the last number of each counts, or the one after GSM8K's `####` (arXiv:2110.14168); 1,000 and 1000.0 are equal.
    """

    what: Literal["text", "number"] = "text"
    """Whether whole answers are compared, but for spaces around them, or their final numbers."""

    def grade(self, answer: str, row: dict[str, Any]) -> dict[str, float]:
        right = self.expected(row)
        if self.what == "number":
            found = final_number(answer)
            return {"exact_match": float(found is not None and found == final_number(right))}
        return {"exact_match": float(answer.strip() == right.strip())}


def final_number(text: str) -> Decimal | None:
    """The number that an answer comes to; None where it has none."""
    _, marked, after = text.rpartition("####")
    numbers = _NUMBER.findall(after) if marked else _NUMBER.findall(text)
    if not numbers:
        return None
    try:
        return Decimal((numbers[0] if marked else numbers[-1]).replace(",", ""))
    except InvalidOperation:
        return None
