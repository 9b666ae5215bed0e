"""Rows of csv and tsv files, by the standard library's reader, with the line on which each row begins."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

from smolrecipes.errors import RecipeError

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def rows(text: str, name: str, delimiter: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a table whose first line names the columns; without a delimiter it is `,`, `;` or tab, by that line."""
    csv.field_size_limit(2**31 - 1)  # documents are longer than the 131,072 characters that it allows
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)  # not splitlines(): a field may contain U+2028 and its kin
    head = next((line for line in lines if line.strip()), "")
    delimiter = delimiter or max(",;\t", key=head.count)
    plain = delimiter == "\t" and _unquoted(lines, head.count("\t"))
    reader = csv.reader(
        iter(lines), delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL
    )
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise RecipeError(f"{name}:{line}: broken row: {error}; is a quote missing, or one too many?") from None
        if fields is None:
            return
        if not any(field.strip() for field in fields):
            continue
        if header is None:
            header = _header(fields, f"{name}:{line}")
        elif len(fields) != len(header):
            raise RecipeError(
                f"{name}:{line}: {len(fields)} fields, but the header has {len(header)}: {', '.join(header)}"
            )
        else:
            yield line, dict(zip(header, fields, strict=True))


def _header(fields: list[str], where: str) -> list[str]:
    header = [field.strip() for field in fields]
    if "" in header or len(set(header)) < len(header):
        names = ", ".join(map(repr, header))
        raise RecipeError(f"{where}: the first line should name the columns, each once, not {names}")
    return header


def _unquoted(lines: list[str], tabs: int) -> bool:
    """Whether quotes are ordinary characters: each line is a row, and some quotes are not as csv would have them."""
    rows = [line.rstrip("\r\n") for line in lines if line.strip()]
    if any(row.count("\t") != tabs for row in rows):
        return False
    fields = (field for row in rows if '"' in row for field in row.split("\t") if '"' in field)
    return any(not _QUOTED.fullmatch(field) for field in fields)
