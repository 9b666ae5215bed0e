"""Files as canonical rows, one after the other, with an account of what they held and what of it was left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.data import archives, source
from smolrecipes.data.broken import Broken
from smolrecipes.data.formats import TEXT, is_archive
from smolrecipes.data.read import Row, records
from smolrecipes.data.recognise import SAMPLE, Shape, recognise
from smolrecipes.data.rows import of_one_type
from smolrecipes.data.table import check
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.data.files import Files

Found = Iterator[tuple[str, Row]]
HELD = 16 << 20
"""Characters of the rows by which a file is recognised."""


class Reader:
    """Reads files as the options of a `Files` say."""

    def __init__(self, options: Files) -> None:
        self.options = options
        self.skips = options.broken == "skip"
        self.kinds: dict[str, str] = {}
        """The row types that were found, and where."""
        self.found: list[tuple[str, int, str]] = []
        """What each file was found to hold: its name, how many rows, and how they are read."""
        self.notes: list[str] = []

    def said(self) -> list[str]:
        """What is told of the files, once they are read."""
        return [*_sentences(self.found), *self.notes]

    def file(self, path: Path, form: str, name: str) -> Iterator[Row]:
        """The rows of a file, or of all files in an archive."""
        broken, any_ = Broken(name, self.skips), False
        if is_archive(path.name):
            inside = archives.sources(path, name, self.options.format, broken, self.notes)
        else:
            inside = iter([source.file(path, name, form)])
        for one in inside:
            for row in self._rows(one, broken):
                any_ = True
                yield row
        if is_archive(path.name) and not any_ and not broken.count:
            self._empty(f"{name}: the archive holds no data files")
        if broken.count:
            self.notes.append(broken.sentence())

    def _rows(self, one: source.Source, broken: Broken) -> Iterator[Row]:
        """The rows of one file; those that are not as its first ones showed are broken."""
        before, options = broken.count, self.options
        read = records(one, options.rows, options.encoding, broken, self.notes) if one.size else iter(())
        found = ((f"{one.name}:{number}", row) for number, row in read)
        if not (sample := _sample(found)):
            if broken.count == before:
                self._empty(f"{one.name}: the file {'holds no rows' if one.size else 'is empty'}")
            return
        shape = recognise(sample, one.name, options.columns)
        self.kinds.setdefault(shape.rows, one.name)
        of_one_type(self.kinds)
        count = 0
        for row in _converted(shape, itertools.chain(sample, found), broken):
            count += 1
            yield row
        plain = one.form in TEXT and not options.columns
        if count:
            self.found.append((one.name, count, f"{options.rows} of text" if plain else shape.sentence()))

    def _empty(self, sentence: str) -> None:
        if not self.skips:
            raise RecipeError(sentence)
        self.notes.append(sentence)


def _sample(found: Found) -> list[tuple[str, Row]]:
    """The first rows, fewer where they are long: they are held until the file is recognised."""
    sample, room = [], HELD
    for one in itertools.islice(found, SAMPLE):
        sample.append(one)
        room -= len(repr(one))
        if room < 0:
            break
    return sample


def _converted(shape: Shape, found: Iterable[tuple[str, Row]], broken: Broken) -> Iterator[Row]:
    for origin, row in found:
        try:
            made = shape.convert(row, origin)
            if broken.leave_out:
                check(made)
        except RecipeError as error:
            broken.met(error)
            continue
        yield made


def _sentences(found: list[tuple[str, int, str]]) -> Iterator[str]:
    """`a.jsonl: 7,473 rows; question and answer, read as pairs`; files that are read alike share a line."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for name, count, phrase in found:
        groups.setdefault(phrase, []).append((name, count))
    for phrase, files in groups.items():
        shown = ", ".join(name for name, _ in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        yield f"{shown}: {sum(count for _, count in files):,} rows; {phrase}"
