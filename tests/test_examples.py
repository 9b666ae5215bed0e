"""Examples read from the table's memory are those that `datasets` gives, whatever the table looks like."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset, concatenate_datasets
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes.examples import Examples, lengths

NUMBERS = st.lists(st.integers(0, 2**31 - 1), max_size=5)
ROWS = st.lists(st.tuples(NUMBERS, st.none() | NUMBERS, st.floats(allow_nan=False), st.text(max_size=3)), min_size=1)


def table(rows: list[Any], kind: pa.DataType) -> pa.Table:
    ids, maybe, number, origin = (list(column) for column in zip(*rows))
    columns = {"input_ids": pa.array(ids, pa.list_(kind)), "maybe": pa.array(maybe, pa.list_(kind))}
    return pa.table({**columns, "number": pa.array(number, pa.float64()), "origin": pa.array(origin)})


@given(
    parts=st.lists(ROWS, min_size=1, max_size=3), kind=st.sampled_from([pa.int32(), pa.int64(), pa.uint32()]),
    cut=st.integers(0, 3), data=st.data(),
)  # fmt: skip
def test_examples_are_those_of_datasets(parts: list[Any], kind: pa.DataType, cut: int, data: st.DataObject) -> None:
    whole = concatenate_datasets([Dataset(table(rows, kind).slice(min(cut, len(rows) - 1))) for rows in parts])
    order = data.draw(st.none() | st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6))
    some = whole if order is None else whole.select(order)
    read = Examples(some)
    assert len(read) == len(some)
    assert read.__getitems__(list(range(len(some)))) == [some[row] for row in range(len(some))]
    assert lengths(some).tolist() == [len(row["input_ids"]) for row in some]


def test_no_row_but_those_asked_for() -> None:
    read = Examples(Dataset(table([([1], None, 0.0, "a")], pa.int32())))
    assert read.__getitems__([]) == [] and read[0] == {"input_ids": [1], "maybe": None, "number": 0.0, "origin": "a"}
    with pytest.raises(IndexError):
        read[1]
