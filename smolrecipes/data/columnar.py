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
            for row in objects(batch):
                number += 1
                yield number, row
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


def objects(batch: pa.RecordBatch | pa.Table) -> Iterator[Row]:
    """The rows of a batch; columns that are stored as JSON are what they stand for."""
    from datasets.features.features import ujson_loads  # which `data/table.py` made sure reads its JSON exactly

    stored = {field.name for field in batch.schema if getattr(field.type, "extension_name", "") == "arrow.json"}
    for row in batch.to_pylist():
        yield {
            column: ujson_loads(value) if column in stored and value is not None else unfilled(value)
            for column, value in row.items()
        }


def unfilled(value: Any) -> Any:
    """Without the nulls that Arrow puts in for keys that an object does not have."""
    if isinstance(value, dict):
        return {key: unfilled(inner) for key, inner in value.items() if inner is not None}
    return [unfilled(inner) for inner in value] if isinstance(value, list) else value
