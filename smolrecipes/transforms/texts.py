"""The texts of a row, whatever its type: all as one, or each rewritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
PLAIN = ("text", "source", "target")
LISTS = ("texts", "choices")
TURNS = ("messages", "prompt", "chosen", "rejected", "completion")
FIXED = ("tokens", "context", "entities")
"""Columns whose texts others point into: they are read, and not rewritten."""


def whole(row: Row) -> str:
    """All texts of a row as one."""
    from smolrecipes.data.rows import texts

    return row["text"] if isinstance(row.get("text"), str) and len(row) == 2 else "\n".join(texts(row))


def is_text(row: Row) -> bool:
    """Whether it is a row of plain text, whatever stays with it."""
    from smolrecipes.data.rows import row_type

    return row_type(row) == "text"


def rewritable(row: Row) -> list[str]:
    """The texts that `rewritten` changes, in its order."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    rewritten(row, note)
    return found


def rewritten(row: Row, change: Callable[[str], str]) -> Row:
    """The row with each of its texts changed; those that spans point into stay as they are."""
    if any(column in row for column in FIXED):
        return row
    new = {**row}
    for column in PLAIN:
        if isinstance(row.get(column), str):
            new[column] = change(row[column])
    for column in LISTS:
        if row.get(column):
            new[column] = [change(text) for text in row[column]]
    for column in TURNS:
        if row.get(column):
            new[column] = [_turn(turn, change) for turn in row[column]]
    return new


def _turn(turn: Row, change: Callable[[str], str]) -> Row:
    said = {key: change(turn[key]) for key in ("content", "reasoning_content") if isinstance(turn.get(key), str)}
    return {**turn, **said}
