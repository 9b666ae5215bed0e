"""Shards: rows in Arrow files of bounded size, each written whole or not at all, with what became of its rows beside it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.data.rows import make, row_type
from smolrecipes.errors import RecipeError
from smolrecipes.files import whole, write_text
from smolrecipes.pipeline.report import Report, size
from smolrecipes.pipeline.writing import writing

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
BYTES = 8 << 20
"""Of text in a shard, about: what a process works on between two points from which it can go on."""
ROWS = 50_000
"""Rows of a shard at most."""


def rows(shard: Path) -> Iterator[Row]:
    """The rows of a shard, one by one; none where all were dropped."""
    from smolrecipes.data.rows import each

    for there in kept([shard]):
        yield from each(read(there))


def kept(shards: Iterable[Path]) -> list[Path]:
    """The shards in which rows are left; RecipeError for one that had some and is gone."""
    shards = list(shards)
    if gone := [shard for shard in shards if not done(shard)]:
        raise RecipeError(f"{gone[0]}: the file is gone; the same command makes it again")
    return [shard for shard in shards if shard.exists()]


def read(shard: Path) -> Dataset:
    """A shard as a dataset, memory mapped."""
    import pyarrow as pa
    from datasets import Dataset

    try:
        return Dataset.from_file(str(shard))
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(shard, error) from error


def write(shard: Path, some: Iterable[Row], report: Report) -> None:
    """Rows, all of one type, and the report on them, which is written last: where it is, the shard is whole.

    Labels stay what they are; `alike` then sees all shards.
    """
    some, began = iter(some), time.process_time()
    first = next(some, None)
    if first is not None:
        store(shard, make(row_type(first), itertools.chain([first], some), spelt=False))
    report.seconds = time.process_time() - began
    with writing(shard.parent):
        write_text(told(shard), json.dumps(report.facts(), ensure_ascii=False))


def done(shard: Path) -> bool:
    """Whether it was written to its end, and is there unless no row was left for it."""
    return told(shard).exists() and (shard.exists() or not report(shard).rows_out)


def told(shard: Path) -> Path:
    """Where the report on a shard lies."""
    return shard.with_suffix(".json")


def report(shard: Path) -> Report:
    """What became of the rows that a shard was made from."""
    return Report(**facts(told(shard)))


def facts(file: Path) -> Any:
    """What stands in a JSON file of a stage."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(file, error) from error


def damaged(file: Path, error: Exception) -> RecipeError:
    """A file of a stage that is not as it was written, in a sentence."""
    return RecipeError(
        f"{file} is damaged ({' '.join(str(error).split())}); remove {file.parent}, and the same command makes it again"
    )


def bounded(some: Iterable[Row]) -> Iterator[Iterator[Row]]:
    """The rows in runs that fit a shard, each to be read to its end before the next."""
    waiting = iter(some)
    while (first := next(waiting, None)) is not None:
        yield _until_full(first, waiting)


def _until_full(first: Row, waiting: Iterator[Row]) -> Iterator[Row]:
    yield first
    bytes_, count = size(first), 1
    while bytes_ < BYTES and count < ROWS and (row := next(waiting, None)) is not None:
        yield row
        bytes_, count = bytes_ + size(row), count + 1


def store(shard: Path, made: Dataset) -> None:
    """Rows as a shard, in place of what it held."""
    import pyarrow as pa

    with (
        writing(shard.parent),
        whole(shard) as partial,
        partial.open("wb") as file,
        pa.ipc.new_stream(file, made.features.arrow_schema) as stream,
    ):
        for part in made.with_format("arrow").iter(1_000):
            stream.write_table(part)
