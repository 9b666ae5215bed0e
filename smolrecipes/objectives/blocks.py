"""Documents as blocks of one length: one stream that is cut, pieces by themselves, or pieces packed by best fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset

MOST = 2**30
"""Tokens of one chunk of blocks: Arrow counts those of a list column in 32 bits."""


def joined(examples: Dataset, size: int, overlap: int = 0) -> Dataset:
    """Every column of lists as one stream, cut into blocks of `size + overlap` that start `size` apart.

    With an overlap of 1, the last target of one block is the first input of the next.
    """
    import pyarrow as pa

    ends, columns = _ends(examples), {}
    for name in _lists(examples):
        stream = _stream(examples, name)
        cuts, many = np.arange(0, max(1, len(stream) - overlap), size), max(1, MOST // (size + overlap))
        parts = [_blocks(stream[cut : cut + many * size + overlap], size, overlap) for cut in cuts[::many]]
        columns[name] = pa.chunked_array(parts)
    return _dataset(examples, columns, ends.searchsorted(cuts, side="right"))


def apart(examples: Dataset, size: int) -> Dataset:
    """Each document by itself, cut into pieces of at most `size`; every piece is an example."""
    import pyarrow as pa

    from smolrecipes.objectives.packing import pieces

    ends = _ends(examples)
    first, _ = pieces(ends, size, overlap=0)
    starts, columns = np.append(first, ends[-1]), {}
    for name in _lists(examples):
        columns[name] = pa.LargeListArray.from_arrays(pa.array(starts), pa.array(_stream(examples, name)))
        columns[name] = columns[name].cast(pa.list_(columns[name].type.value_type))
    return _dataset(examples, columns, ends.searchsorted(first, side="right"))


def with_others(examples: Dataset, who: str) -> Dataset:
    """Pieces of two tokens at least, each with the columns of a piece of another document (`other_...`)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = examples.data.table if hasattr(examples.data, "table") else examples.data
    table = table.filter(pc.greater_equal(pc.list_value_length(table.column("input_ids")), 2))
    owners = np.array(table.column("origin").to_pylist())
    if len(set(owners.tolist())) < 2:
        raise RecipeError(
            f"{who}: it compares two documents, and the rows hold {len(set(owners.tolist()))} that it can use"
        )
    beside = np.random.default_rng(0).permutation(len(owners))
    while (same := owners[beside] == owners).any():
        beside = np.where(same, (beside + 1) % len(owners), beside)
    columns = {name: table.column(name) for name in table.column_names}
    others = {f"other_{name}": table.column(name).take(pa.array(beside)) for name in _lists(examples)}
    return _dataset(examples, {**columns, **others}, None)


def with_targets(examples: Dataset) -> Dataset:
    """Each text once more, as `target_ids`."""
    columns = {name: examples.data.column(name) for name in examples.column_names}
    return _dataset(examples, {**columns, "target_ids": columns["input_ids"]}, None)


def packed(examples: Dataset, size: int) -> Dataset:
    """Pieces of documents, which overlap by a token, packed into blocks by best fit, with the `sizes` of the pieces."""
    import pyarrow as pa

    from smolrecipes.objectives.packing import best_fit, pieces

    ends, stream = _ends(examples), _stream(examples, "input_ids")
    first, stop = pieces(ends, size)
    blocks = best_fit((stop - first - 1).tolist(), size)
    ids = [np.concatenate([stream[first[piece] : stop[piece]] for piece in block]) for block in blocks]
    sizes = [[int(stop[piece] - first[piece]) for piece in block] for block in blocks]
    columns = {"input_ids": pa.array(ids, pa.list_(pa.int32())), "sizes": pa.array(sizes, pa.list_(pa.int32()))}
    return _dataset(examples, columns, ends.searchsorted(first[[block[0] for block in blocks]], side="right"))


def _lists(examples: Dataset) -> list[str]:
    import pyarrow as pa

    return [field.name for field in examples.data.schema if pa.types.is_list(field.type)]


def _stream(examples: Dataset, name: str) -> Any:
    return np.concatenate([chunk.flatten().to_numpy() for chunk in examples.data.column(name).chunks])


def _ends(examples: Dataset) -> Any:
    """Where each document ends in the stream of all of them."""
    import pyarrow.compute as pc

    return pc.list_value_length(examples.data.column("input_ids")).to_numpy().cumsum(dtype=np.int64)


def _blocks(stream: Any, size: int, overlap: int) -> Any:
    """The blocks of a stretch of the stream as an Arrow list array."""
    import pyarrow as pa

    cuts = np.arange(size, max(1, len(stream) - overlap), size)
    values = np.insert(stream, cuts, stream[cuts]) if overlap else stream
    starts = np.arange(len(cuts) + 2) * (size + overlap)
    return pa.ListArray.from_arrays(pa.array(np.minimum(starts, len(values)), pa.int32()), pa.array(values))


def _dataset(examples: Dataset, columns: dict[str, Any], rows: Any) -> Dataset:
    """Blocks, with where the rows came from that they begin in, unless the columns say it."""
    import pyarrow as pa
    from datasets import Dataset
    from datasets.fingerprint import generate_random_fingerprint

    origins = {} if rows is None else {"origin": examples.data.column("origin").take(pa.array(rows))}
    made = pa.table({**columns, **origins})
    return Dataset(made, fingerprint=generate_random_fingerprint())  # else it would hash all of them
