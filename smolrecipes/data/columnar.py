"""Rows of parquet and Arrow files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smolrecipes.data.source import Source
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


def rows(source: Source) -> Iterator[tuple[int, Row]]:
    """The rows, each with its number."""
    import pyarrow as pa

    number = 0
    try:
        for batch in _batches(source):
            for row in batch.to_pylist():
                number += 1
                yield number, {column: unfilled(value) for column, value in row.items()}
    except (OSError, pa.ArrowException, zipfile.BadZipFile) as error:
        raise RecipeError(f"{source.name} cannot be read as {source.form}: {str(error).splitlines()[0]}") from None


def _batches(source: Source) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    where: Any = pa.memory_map(str(source.path)) if source.path else source.copied().open()
    if source.form == "parquet":
        yield from pq.ParquetFile(where).iter_batches(batch_size=1000)
        return
    try:
        stream = pa.ipc.open_stream(where)  # as `datasets` writes them
    except pa.ArrowInvalid:
        where.seek(0)
        file = pa.ipc.open_file(where)
        stream = (file.get_batch(i) for i in range(file.num_record_batches))
    yield from stream


def unfilled(value: Any) -> Any:
    """Without the nulls that Arrow puts in for keys that an object does not have."""
    if isinstance(value, dict):
        return {key: unfilled(inner) for key, inner in value.items() if inner is not None}
    return [unfilled(inner) for inner in value] if isinstance(value, list) else value
