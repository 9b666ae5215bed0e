"""The columns that are in a file, and how they are read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from smolrecipes.data.files import Files
    from smolrecipes.kinds import Data


@dataclass
class Columns:
    """What the first rows of a source showed."""

    kinds: dict[str, str] = field(default_factory=dict)
    """What each column holds, and whether it is read."""
    said: list[str] = field(default_factory=list)
    """A sentence that says so."""


def columns(data: Data) -> Columns:
    """Of the first file with rows, where the data is files: the others are read alike, or by themselves."""
    from smolrecipes.data.files import Files, files_in

    found = map(partial(_of_file, data), files_in(data)) if isinstance(data, Files) else iter(())
    return next(filter(None, found), Columns())


def _of_file(data: Files, path: Path) -> Columns | None:
    """Nothing of a file without a good row."""
    from smolrecipes.data.broken import Broken
    from smolrecipes.data.formats import TEXT, format_of
    from smolrecipes.data.read import records
    from smolrecipes.data.recognise import SAMPLE, kinds_of, recognise
    from smolrecipes.data.source import file

    form = data.format or format_of(path.name)
    if form == "archive":
        return Columns()
    read = records(file(path, path.name, form), data.rows, data.encoding, Broken(path.name, leave_out=True), [])
    found = ((f"{path.name}:{number}", row) for number, row in read)
    sample = list(itertools.islice(found, SAMPLE))
    if not sample:
        return None
    if form in TEXT and not data.columns:
        return Columns(said=[f"{path.name}: {data.rows} of text"])
    shape = recognise(sample, path.name, data.columns)
    held = kinds_of([row for _, row in sample])
    ignored = {name: f"{kind}, ignored" if name in shape.ignored else kind for name, kind in held.items()}
    return Columns(ignored, [f"{path.name}: {shape.sentence()}"])
