"""Tagged words of CoNLL's kind: a word a line, its tag in the last column, an empty line after each sentence."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from smolrecipes.data.broken import Broken
from smolrecipes.errors import RecipeError

DOCUMENT = "-DOCSTART-"
"""The word that stands for the beginning of a document."""


def rows(lines: Iterable[tuple[int, str]], name: str, broken: Broken) -> Iterator[tuple[int, dict[str, Any]]]:
    """The sentences, each with the number of its first line; a broken line breaks its sentence."""
    start, words, whole, before = 0, list[list[str]](), True, 0
    for number, line in itertools.chain(lines, [(0, "")]):
        columns = line.split()
        whole, before = whole and number in (before + 1, 0), number  # a line that is left out was one of the words
        if columns and columns[0] != DOCUMENT:
            if len(columns) == 1:
                whole = False
                broken.met(_alone(f"{name}:{number}", columns[0]))
            start = start if words else number
            words.append(columns)
        else:
            if words and whole:
                yield start, {"tokens": [word[0] for word in words], "tags": [word[-1] for word in words]}
            words, whole = [], True


def _alone(where: str, word: str) -> RecipeError:
    return RecipeError(f"{where}: a word and its tag should stand on a line, not {word!r} alone")
