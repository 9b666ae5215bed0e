"""Rows of csv and tsv files, by the standard library's reader, with the line on which each row begins."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import Any

from smolrecipes.data.broken import Broken
from smolrecipes.data.decode import LINE
from smolrecipes.errors import RecipeError

Lines = Iterator[tuple[int, str]]

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def rows(
    opened: Callable[[Broken], Lines], name: str, delimiter: str | None, broken: Broken
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a table whose first line names the columns; without a delimiter it is `,`, `;` or tab, by that line.

    `opened` gives the numbered lines: twice for tabs, since whether quotes are ordinary there takes a look at all.
    """
    csv.field_size_limit(LINE)  # documents are longer than the 131,072 characters that it allows
    lines = _Lines(opened(broken))
    head = lines.head()
    delimiter = delimiter or max(",;\t", key=head.count)
    plain = delimiter == "\t" and _unquoted(opened(Broken(name, leave_out=True)), head.count("\t"))
    reader = csv.reader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
    header: list[str] | None = None
    while True:
        lines.taken.clear()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            where = f"{name}:{lines.first}"
            broken.met(RecipeError(f"{where}: broken row: {error}; is a quote missing, or one too many?"))
            lines.give_back()
            continue
        if fields is None:
            return
        if not any(field.strip() for field in fields):
            continue
        if header is None:
            header = _header(fields, f"{name}:{lines.first}")
        elif len(fields) != len(header):
            broken.met(_uneven(fields, header, f"{name}:{lines.first}"))
        else:
            yield lines.first, dict(zip(header, fields, strict=True))


class _Lines:
    """Lines for the reader, which knows where a row began and can go back to the line below."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.taken: list[tuple[int, str]] = []
        self.waiting: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.taken.append(self.waiting.pop() if self.waiting else next(self.lines))
        return self.taken[-1][1]

    @property
    def first(self) -> int:
        return self.taken[0][0]

    def head(self) -> str:
        """The first line that is not empty, without taking it."""
        found = next((line for line in self if line.strip()), "")
        self.waiting, self.taken = self.taken[::-1], []
        return found

    def give_back(self) -> None:
        """All that was taken but the first line: there a quote was missing, and the next may be whole."""
        self.waiting += self.taken[:0:-1]


def _header(fields: list[str], where: str) -> list[str]:
    header = [field.strip() for field in fields]
    if "" in header or len(set(header)) < len(header):
        names = ", ".join(map(repr, header))
        raise RecipeError(f"{where}: the first line should name the columns, each once, not {names}")
    return header


def _uneven(fields: list[str], header: list[str], where: str) -> RecipeError:
    return RecipeError(f"{where}: {len(fields)} fields, but the header has {len(header)}: {', '.join(header)}")


def _unquoted(lines: Lines, tabs: int) -> bool:
    """Whether quotes are ordinary characters: each line is a row, and some quotes are not as csv would have them."""
    odd = False
    for _, line in lines:
        row = line.rstrip("\r\n")
        if row.strip() and row.count("\t") != tabs:
            return False
        odd = odd or ('"' in row and any('"' in field and not _QUOTED.fullmatch(field) for field in row.split("\t")))
    return odd
