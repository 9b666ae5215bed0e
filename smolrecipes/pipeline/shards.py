"""Shards: rows in Arrow files of bounded size, each written whole or not at all, with what became of its rows beside it."""

from __future__ import annotations

import io
import itertools
import json
import struct
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from smolrecipes.data.rows import make, row_type
from smolrecipes.files import flush, write_text
from smolrecipes.pipeline.report import Report, size

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray

    from smolrecipes.kinds import Facts

Row = dict[str, Any]
BYTES = 16 << 20
"""Of text in a shard, about: what a process works on between two points from which it can go on."""
ROWS = 50_000
"""Rows of a shard at most."""
LARGE = 1 << 20
"""Bytes of an array from which on it is not read whole."""


def rows(shard: Path) -> Iterator[Row]:
    """The rows of a shard, one by one; none where all were dropped."""
    from smolrecipes.data.rows import each

    if shard.exists():
        yield from each(read(shard))


def read(shard: Path) -> Dataset:
    """A shard as a dataset, memory mapped."""
    from datasets import Dataset

    return Dataset.from_file(str(shard))


def write(shard: Path, some: Iterable[Row], report: Report) -> None:
    """Rows, all of one type, and the report on them, which is written last: where it is, the shard is whole.

    Labels stay what they are; `alike` then sees all shards.
    """
    some, began = iter(some), time.process_time()
    first = next(some, None)
    if first is not None:
        store(shard, make(row_type(first), itertools.chain([first], some), spelt=False))
    report.seconds = time.process_time() - began
    write_text(told(shard), json.dumps(report.facts(), ensure_ascii=False))


def done(shard: Path) -> bool:
    """Whether it was written to its end."""
    return told(shard).exists()


def told(shard: Path) -> Path:
    """Where the report on a shard lies."""
    return shard.with_suffix(".json")


def report(shard: Path) -> Report:
    """What became of the rows that a shard was made from."""
    return Report(**json.loads(told(shard).read_text(encoding="utf-8")))


def write_facts(file: Path, facts: Facts) -> None:
    """What is known of a shard, as arrays."""
    import numpy as np

    partial = _aside(file)
    with partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **dict(facts))
    flush(partial)
    partial.replace(file)


def read_facts(file: Path) -> Mapping[str, NDArray[Any]]:
    """What `write_facts` wrote; large arrays stay in the file and are read where they are looked at."""
    with zipfile.ZipFile(file) as stored:
        return {entry.filename.removesuffix(".npy"): _array(file, entry) for entry in stored.infolist()}


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

    partial = _aside(shard)
    with partial.open("wb") as file, pa.ipc.new_stream(file, made.features.arrow_schema) as stream:
        for part in made.with_format("arrow").iter(1_000):
            stream.write_table(part)
    flush(partial)
    partial.replace(shard)


def _array(file: Path, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """An array of an npz file, in which each lies as it is after the name of its entry."""
    import numpy as np

    with file.open("rb") as stream:
        stream.seek(entry.header_offset + 26)
        name, more = struct.unpack("<HH", stream.read(4))
        stream.seek(name + more, io.SEEK_CUR)
        if entry.file_size < LARGE:
            found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            return found
        np.lib.format.read_magic(stream)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        return np.memmap(file, dtype, "r", stream.tell(), shape, "F" if fortran else "C")


def _aside(file: Path) -> Path:
    return file.with_name(f"{file.stem}.{uuid4().hex[:8]}.partial")
