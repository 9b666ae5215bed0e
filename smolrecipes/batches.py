"""Which rows make which micro-batch: one order for any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler


class Batches(Sampler[list[int]]):
    """A batch sampler: the micro-batches of this rank, in the order of the global batches.

    The order of the rows comes from (seed, epoch) alone. A global batch is sorted by length and dealt out evenly over
    its micro-steps and ranks; all ranks take equally many. Where rows are fewer than cells, a cell is empty.
    """

    def __init__(
        self, lengths: Sequence[int], *, batch: int, micro: int, rank: int = 0, world: int = 1, seed: int | None = None
    ) -> None:
        """lengths: tokens of each row. batch: rows of a global batch. seed: None keeps the rows in order."""
        self.lengths, self.batch, self.micro, self.rank, self.world, self.seed = (
            lengths,
            batch,
            micro,
            rank,
            world,
            seed,
        )
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.batch)
        return full * self._steps(self.batch) + self._steps(rest)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(len(self.lengths))
        if self.seed is not None:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        for start in range(0, len(order), self.batch):
            rows = sorted(order[start : start + self.batch].tolist(), key=lambda row: (-self.lengths[row], row))
            cells = np.array_split(rows, self._steps(len(rows)) * self.world)
            yield from (cell.tolist() for cell in cells[self.rank :: self.world])

    def _steps(self, rows: int) -> int:
        return ceil(rows / (self.micro * self.world))


class Loader(DataLoader[dict[str, Any]]):
    """A DataLoader over `Batches`; every batch carries `origins`, and an empty cell is a row that counts nothing."""

    def __init__(
        self, examples: Dataset, batches: Batches, collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    ) -> None:
        def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
            batch = collate(rows or [examples[0]])
            return {**batch, "origins": [row["origin"] for row in rows]}

        super().__init__(_Rows(examples), batch_sampler=batches, collate_fn=together)  # type: ignore[arg-type]
        self.seen: list[str] = []
        """Where the rows of the last global batch came from; the trainer fills it, the guard reads it."""

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each pass."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


class _Rows:
    """Rows fetched a batch at a time: one Arrow read for all of them, none for an empty cell."""

    def __init__(self, examples: Dataset) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = self.examples[index]
        return row

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        columns = self.examples[indices] if indices else {}
        return [dict(zip(columns, values)) for values in zip(*columns.values())]


def lengths(examples: Any) -> list[int]:
    """Positions that each example takes: its ids, and of a pair both answers, each with the prompt."""
    import pyarrow.compute as pc

    pair = ("prompt", "prompt", "chosen", "rejected")
    names = pair if "chosen" in examples.column_names else ("input_ids",)
    columns = [pc.list_value_length(examples.data.column(name)).to_pylist() for name in names]
    return [sum(values) for values in zip(*columns)]
