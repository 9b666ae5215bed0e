"""A file's rows, each with its number: the line where it begins, or the row in formats that have no lines."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from smolrecipes.data import columnar, conll, delimited, encodings, json_rows, pages, passages
from smolrecipes.data.broken import Broken
from smolrecipes.data.decode import lines, pieces, reading, split, whole
from smolrecipes.data.source import ERRORS, Source, unreadable
from smolrecipes.errors import RecipeError

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row]]


def records(source: Source, rows: str, encoding: str, broken: Broken, notes: list[str]) -> Rows:
    """The rows of a file; `rows` is how plain text is cut, `notes` gets what was found out about the file."""
    try:
        yield from _records(source, rows, encoding, broken, notes)
    except ERRORS as error:
        broken.met(unreadable(source.name, error))
    except RecipeError as error:
        broken.met(error)


def _records(source: Source, rows: str, encoding: str, broken: Broken, notes: list[str]) -> Rows:
    name, form = source.name, source.form
    if form in ("parquet", "arrow"):
        yield from columnar.rows(source)
        return
    if form == "tsv" or encoding == "detect":
        source = source.again()
    if encoding == "detect":
        encoding = encodings.detected(source)
        notes += [f"{name}: its encoding is taken to be {encoding}"] * (encoding != "utf-8")
    if form == "html":
        text = pages.main_text(source, encoding)
        cut = passages.cut([text], rows, name, broken)
        yield from ((number, {"text": row}) for number, (_, row) in enumerate(cut, 1))
        return
    elif form in ("csv", "tsv"):
        opened = partial(_table_lines, source, encoding)
        yield from delimited.rows(opened, name, "\t" if form == "tsv" else None, broken)
    else:
        with reading(source, encoding) as stream:
            yield from _of_text(stream, name, form, rows, broken)


def _of_text(stream: IO[bytes], name: str, form: str, rows: str, broken: Broken) -> Rows:
    if form == "txt":
        cut = passages.cut(pieces(stream, name, broken), rows, name, broken)
        yield from ((line, {"text": row}) for line, row in cut)
    elif form == "jsonl":
        yield from json_rows.of_lines(lines(stream, name, broken), name, broken)
    elif form == "json":
        text = whole(pieces(stream, name, broken), name, "write it as JSON lines (.jsonl), which are read one by one")
        yield from json_rows.of_text(text, name, broken)
    else:
        yield from conll.rows(lines(stream, name, broken), name, broken)


def _table_lines(source: Source, encoding: str, broken: Broken) -> delimited.Lines:
    with reading(source, encoding) as stream:
        yield from split(pieces(stream, source.name, broken), source.name, broken)
