"""DropDuplicates and DropSamePrompts: no text of a row is left empty, and which rows ask the same."""

from __future__ import annotations

from typing import Any

import pytest

from smolrecipes import DropDuplicates, DropSamePrompts, Outcome, Transform

LONG = "Nobody knew that the old harbour would be so quiet today."


def outcomes(step: Transform, *rows: dict[str, Any]) -> list[Outcome]:
    some = [{**row, "origin": f"x:{number}"} for number, row in enumerate(rows)]
    (known,) = step.decide([step.survey(some)])
    return list(step.apply(some, known))


@pytest.mark.parametrize("of", ["lines", "paragraphs"])
def test_a_row_of_which_a_whole_text_would_go_is_dropped(of: Any) -> None:
    step = DropDuplicates(of)
    pairs = [{"source": LONG, "target": f"answer {n}"} for n in range(2)]
    first, second = outcomes(step, *pairs)
    assert first.row and second == Outcome(None, (f"all {of} of a text were there before",))
    chats = [
        {"messages": [{"role": "system", "content": LONG}, {"role": "user", "content": f"and {n}?"}], "tools": None}
        for n in range(2)
    ]
    assert [outcome.row is None for outcome in outcomes(step, *chats)] == [False, True]


def test_a_text_that_was_empty_before_drops_nothing() -> None:
    row = {"source": "", "target": f"{LONG}\nyes"}
    first, second = outcomes(DropDuplicates("lines"), row, {"source": " ", "target": f"{LONG}\nno"})
    assert first.row and second.row and second.row["target"] == "no"


def test_a_system_message_without_content_makes_no_other_question() -> None:
    asked = {"role": "user", "content": "Who?"}
    rows = [{"messages": [{"role": "system", **told}, asked], "tools": None} for told in ({}, {"content": None})]
    assert [one.row is None for one in outcomes(DropSamePrompts(context=True), *rows)] == [False, True]
