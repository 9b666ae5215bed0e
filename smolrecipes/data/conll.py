"""Tagged words of CoNLL's kind: a word a line, its tag in the last column, an empty line after each sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smolrecipes.errors import RecipeError

DOCUMENT = "-DOCSTART-"
"""The word that stands for the beginning of a document."""


def rows(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The sentences, each with the number of its first line."""
    start, words = 0, list[list[str]]()
    for number, line in enumerate([*text.split("\n"), ""], 1):
        columns = line.split()
        if columns and columns[0] != DOCUMENT:
            if len(columns) == 1:
                raise RecipeError(
                    f"{name}:{number}: a word and its tag should stand on a line, not {columns[0]!r} alone"
                )
            start = start if words else number
            words.append(columns)
        elif words:
            yield start, {"tokens": [word[0] for word in words], "tags": [word[-1] for word in words]}
            words = []
