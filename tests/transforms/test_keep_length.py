"""KeepLength: the edges, by each unit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import KeepLength, Outcome, RecipeError

UNITS = {"characters": len, "words": lambda text: len(text.split()), "bytes": lambda text: len(text.encode())}


def row(text: str) -> dict[str, Any]:
    return {"text": text, "origin": "a:1"}


@given(st.text(max_size=30), st.sampled_from(list(UNITS)), st.integers(1, 20), st.integers(0, 20))
def test_a_row_stays_exactly_when_its_length_is_within(text: str, unit: Any, least: int, more: int) -> None:
    kept = KeepLength(least, least + more, unit=unit).treat(row(text)).row is not None
    assert kept is (least <= UNITS[unit](text) <= least + more)


@pytest.mark.parametrize(
    ("step", "text", "reason"),
    [
        (KeepLength(3, unit="words"), "two words", "fewer than 3 words"),
        (KeepLength(most=1000, unit="bytes"), "é" * 501, "more than 1,000 bytes"),
    ],
)
def test_the_reason_says_what_was_missed(step: KeepLength, text: str, reason: str) -> None:
    assert step.treat(row(text)) == Outcome(None, (reason,))


def test_all_texts_of_a_row_count() -> None:
    pair = {"source": "one two", "target": "three", "origin": "a:1"}
    assert KeepLength(3, unit="words").treat(pair).row is pair
    assert KeepLength(4, unit="words").treat(pair).row is None


@pytest.mark.parametrize(
    "options", [{}, {"least": 5, "most": 4}, {"least": 0}, {"most": -1}, {"least": 1, "unit": "lines"}]
)
def test_what_keeps_all_or_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"^KeepLength"):
        KeepLength(**options)
