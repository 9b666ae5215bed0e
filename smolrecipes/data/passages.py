"""Plain text as rows: passages, lines or whole files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from smolrecipes.data.broken import Broken
from smolrecipes.data.decode import LINE, split, whole

LONG = 4000
"""About how many characters a passage has."""

_EMPTY_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")


def cut(pieces: Iterable[str], rows: str, name: str, broken: Broken) -> Iterator[tuple[int, str]]:
    """The rows of a text that comes in pieces, each with the number of its first line; `rows` is passages, lines or files."""
    if rows == "lines":
        yield from ((n, line.rstrip("\r\n")) for n, line in split(pieces, name, broken) if line.strip())
    elif rows == "files":
        text = whole(_of_words(pieces), name, "read it as passages, or in several files")
        yield from [(1, text)] if text else []
    else:
        line = 1
        for passage in passages(_of_words(pieces)):
            yield line, passage
            line += passage.count("\n")


def passages(text: str | Iterable[str], long: int = LONG) -> Iterator[str]:
    """The text, which may come in pieces, cut anew into at most about `long` characters each, which together are the text.

    One ends at the last empty line that fits, else at the last line end, else at the last space, else anywhere.
    """
    held = ""
    for piece in [text] if isinstance(text, str) else text:
        held, start = held + piece, 0
        while len(held) - start > long:
            end = _border(held, start, start + long)
            yield held[start:end]
            start = end
        held = held[start:]
    if held:
        yield held


def _border(text: str, start: int, end: int) -> int:
    """Where the piece that begins at `start` ends, at the latest at `end`."""
    empty = max((found.end() for found in _EMPTY_LINES.finditer(text, start, end)), default=start)
    ends = (empty, text.rfind("\n", start, end) + 1, text.rfind(" ", start, end) + 1)
    return next((found for found in ends if found > start), end)


def _of_words(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces; none where there is nothing but white space, of which no more is held than of a line."""
    waiting, blank, length = iter(pieces), list[str](), 0
    for piece in waiting:
        blank.append(piece)
        length += len(piece)
        if length > LINE or not (piece.isspace() or not piece):
            yield from itertools.chain(blank, waiting)
            return
