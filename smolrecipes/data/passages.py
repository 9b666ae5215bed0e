"""Plain text as rows: passages, lines or whole files."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONG = 4000
"""About how many characters a passage has."""

_EMPTY_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")


def cut(text: str, rows: str) -> Iterator[tuple[int, str]]:
    """The rows of a text, each with the number of its first line; `rows` is passages, lines or files."""
    if rows == "lines":
        yield from ((n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip())
    elif rows == "files":
        yield 1, text
    else:
        line = 1
        for passage in passages(text):
            yield line, passage
            line += passage.count("\n")


def passages(text: str, long: int = LONG) -> Iterator[str]:
    """The text in pieces of at most about `long` characters that together are the text, character by character.

    A piece ends at the last empty line that fits, else at the last line end, else at the last space, else anywhere.
    """
    start = 0
    while len(text) - start > long:
        end = _border(text, start, start + long)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _border(text: str, start: int, end: int) -> int:
    """Where the piece that begins at `start` ends, at the latest at `end`."""
    empty = max((found.end() for found in _EMPTY_LINES.finditer(text, start, end)), default=start)
    ends = (empty, text.rfind("\n", start, end) + 1, text.rfind(" ", start, end) + 1)
    return next((found for found in ends if found > start), end)
