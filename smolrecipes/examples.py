"""Prepared examples as they lie in memory: read row by row, and measured."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset


class Examples:
    """Rows of a table straight from its memory: to go through `datasets` takes several times as long."""

    def __init__(self, examples: Dataset) -> None:
        table = _table(examples)
        self.size = len(table)
        self.columns = {name: _Column(table.column(name)) for name in table.column_names}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: column[index] for name, column in self.columns.items()}

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        return [self[index] for index in indices]


class _Column:
    """A column's values by row, as Python objects; of lists of numbers, slices of one array for each chunk."""

    def __init__(self, column: Any) -> None:
        import pyarrow as pa

        self.starts = [0, *accumulate(map(len, column.chunks))]
        self.lists = pa.types.is_list(column.type) and pa.types.is_integer(column.type.value_type)
        self.lists &= not (column.null_count or any(chunk.values.null_count for chunk in column.chunks if self.lists))
        self.chunks = (
            [(c.offsets.to_numpy(), c.values.to_numpy()) for c in column.chunks] if self.lists else column.chunks
        )

    def __getitem__(self, row: int) -> Any:
        part = bisect_right(self.starts, row) - 1
        chunk, at = self.chunks[part], row - self.starts[part]
        if not self.lists:
            return chunk[at].as_py()
        offsets, values = chunk
        return values[offsets[at] : offsets[at + 1]].tolist()


def lengths(examples: Any, prompts: int = 2) -> Any:
    """Tokens of each example, (examples,) int64: its ids, those of its target, and of a pair both answers, each with the
    prompt; prompts: 1 counts that once, as it is computed where sequences are packed."""
    import pyarrow.compute as pc

    pair, plain = (*["prompt"] * prompts, "chosen", "rejected"), ("input_ids", "target_ids")
    names = pair if "chosen" in examples.column_names else [n for n in plain if n in examples.column_names]
    table = _table(examples)
    return sum(pc.list_value_length(table.column(name)).to_numpy().astype(np.int64) for name in names)


def tokens_by_source(examples: Any) -> dict[str, int]:
    """How many tokens the rows of each file, or other source, have: by what their origins begin with, the most first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pc.replace_substring_regex(_table(examples).column("origin"), r":\d+$", "")
    groups = pa.table({"name": names, "tokens": lengths(examples)}).group_by("name").aggregate([("tokens", "sum")])
    found = zip(groups["name"].to_pylist(), groups["tokens_sum"].to_pylist(), strict=True)
    return dict(sorted(found, key=lambda one: (-one[1], one[0])))


def stages(examples: Any) -> Any:
    """The stage of each example of a curriculum, (examples,) int64; None elsewhere."""
    return _table(examples).column("stage").to_numpy() if "stage" in examples.column_names else None


def _table(examples: Dataset) -> Any:
    """The rows as an Arrow table, where they were selected or shuffled in their new order."""
    return examples.with_format("arrow")[:] if examples._indices is not None else examples.data
