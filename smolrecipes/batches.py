"""Which rows make which micro-batch: one order for any number of processes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import chain, islice, pairwise
from math import ceil
from typing import Any

import numpy as np
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler

from smolrecipes.curriculum import rows_of
from smolrecipes.examples import Examples

WINDOW = 50
"""Global batches whose rows are sorted by length among each other, where that is asked for."""


class Batches(Sampler[list[int]]):
    """A batch sampler: the micro-batches of this rank, in the order of the global batches.

    The order of the rows comes from (seed, epoch) alone. A global batch is so many rows, or so many tokens; it is dealt
    out evenly over its micro-steps and ranks, which all take equally many. Where rows are fewer than cells, a cell is
    empty.

    Rows of a curriculum have stages: a run of `total` global batches goes through them in their order, all its passes over
    one before the next, shuffled anew in each pass; where two meet, a global batch may hold rows of both.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        batch: int,
        steps: int = 1,
        tokens: int | None = None,
        level: bool = False,
        rank: int = 0,
        world: int = 1,
        seed: int | None = None,
        stages: Sequence[int] | None = None,
        total: int = 0,
        costs: Sequence[int] | None = None,
        by_length: bool = False,
    ) -> None:
        """lengths: tokens of each row; costs: those that are computed, where they are fewer. batch: rows of a global
        batch; or `tokens`, at least the longest row's.
        steps: micro-steps of a global batch. level: every cell gets rows of all lengths, where nothing is padded;
        else rows of like length. seed: None keeps the rows in order, padded ones in that of their lengths. stages: that
        of each row. by_length: global batches are of rows of like length, drawn from WINDOW of them; not in stages.
        """
        self.lengths, self.batch, self.steps, self.tokens = np.asarray(lengths), batch, steps, tokens
        self.costs = self.lengths if costs is None else np.asarray(costs)
        self.level, self.rank, self.world, self.seed = level, rank, world, seed
        self.by_length = by_length and seed is not None and stages is None
        self.stages, self.total = None if stages is None else np.asarray(stages), max(total, 0) or self.per_epoch
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each pass."""
        self.epoch = epoch

    @property
    def per_epoch(self) -> int:
        """Global batches in a pass."""
        return count_batches(self.lengths, self.batch, self.tokens)

    def __len__(self) -> int:
        rest = 0 if self.tokens else len(self.lengths) % self.batch
        return (self.per_epoch - bool(rest)) * self.steps + self._steps(rest)

    def __iter__(self) -> Iterator[list[int]]:
        for rows in self._global():
            steps = self.steps if self.tokens else self._steps(len(rows))
            yield from self._cells(rows, steps * self.world)[self.rank :: self.world]

    def _order(self) -> Any:
        """The rows in the order of this pass."""
        order = np.arange(len(self.lengths))
        if self.seed is None:
            return order if self.level else np.argsort(-self.costs, kind="stable")
        order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        if not self.by_length:
            return order
        window = WINDOW * -(-len(order) // self.per_epoch)
        parts = (order[start : start + window] for start in range(0, len(order), window))
        return np.concatenate([part[np.argsort(-self.costs[part], kind="stable")] for part in parts])

    def _in_turn(self) -> tuple[Any, Any]:
        """The rows of this pass, and at which of its tokens each begins."""
        order = self._order()
        return order, np.cumsum(self.lengths[order]) - self.lengths[order]

    def _staged(self, stages: Any) -> tuple[Any, Any]:
        """As `_in_turn`, of this epoch of a curriculum; of a run whose batches are of tokens, stretches are of tokens.

        Its end is rounded up, so that the last share holds as many tokens as the longest row may have: none is empty.
        """
        sizes = self.lengths if self.tokens else np.ones_like(self.lengths)
        whole, (epochs, rest) = int(sizes.sum()), divmod(self.total, self.per_epoch)
        run = epochs * whole + (-(-whole * rest // self.per_epoch) if self.tokens else rest * self.batch)
        return rows_of(self.epoch, stages, sizes, run, self.seed or 0)

    def longest(self) -> list[int]:
        """The rows of the micro-batch that takes the most tokens, had the longest rows come together; of padded batches
        of tokens, where many short rows beside a long one take more, also of a thousand that come."""
        ranked = np.argsort(-self.costs, kind="stable")
        rows = min(len(ranked), self.batch)
        steps = self.steps if self.tokens else self._steps(rows)
        if self.tokens:
            rows = 1 + int(np.searchsorted(np.cumsum(self.lengths[ranked]), self.lengths.sum() / self.per_epoch))
        coming = islice(self._coming(), 1000) if self.tokens and not self.level else ()
        cells = (self._cells(some, steps * self.world) for some in chain([ranked[:rows]], coming))
        return max(chain.from_iterable(cells), key=lambda cell: (self._computed(cell), len(cell)))

    def _coming(self) -> Iterator[Any]:
        """The rows of the global batches of the run, from this pass on."""
        for epoch in range(self.epoch, ceil(self.total / self.per_epoch)):
            later = copy(self)
            later.set_epoch(epoch)
            yield from later._global()

    def _computed(self, cell: list[int]) -> int:
        """Tokens that a cell takes, with its padding."""
        sizes = self._costs(np.asarray(cell, dtype=np.int64))
        return int(sizes.sum() if self.level else sizes.max(initial=0) * len(cell))

    def _global(self) -> list[Any]:
        """The rows of each global batch; by tokens, row by row into the batch in whose share of them it begins."""
        order, begins = self._in_turn() if self.stages is None else self._staged(self.stages)
        if self.tokens:
            shares = begins * self.per_epoch // self.lengths.sum()
            found = np.split(order, np.searchsorted(shares, np.arange(1, self.per_epoch)))
        else:
            found = [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
        return self._shuffled(found) if self.by_length else found

    def _shuffled(self, batches: list[Any]) -> list[Any]:
        """Sorted ones in any order, but that one which is not whole stays the last."""
        whole = len(batches) - bool(not self.tokens and len(self.lengths) % self.batch)
        order = np.random.default_rng((self.seed or 0, self.epoch, 1)).permutation(whole)
        return [*(batches[index] for index in order), *batches[whole:]]

    def _costs(self, rows: Any) -> Any:
        return self.costs[rows % len(self.costs)]

    def _cells(self, rows: Any, cells: int) -> list[list[int]]:
        ranked = rows[np.lexsort((rows, -self._costs(rows)))]
        if not self.level:
            cuts = _cuts(self._costs(ranked), cells) if self.tokens and len(ranked) else cells
            return [cell.tolist() for cell in np.array_split(ranked, cuts)]
        there_and_back = [*range(cells), *reversed(range(cells))]  # so that every cell gets about as many tokens
        return [
            [row for i, row in enumerate(ranked.tolist()) if there_and_back[i % (2 * cells)] == c] for c in range(cells)
        ]

    def _steps(self, rows: int) -> int:
        return ceil(rows * self.steps / self.batch)


def _cuts(sizes: Any, cells: int) -> list[int]:
    """Where to cut rows of falling sizes into cells, none of them empty while another has two rows, so that the largest,
    padded to its first row, is the smallest."""

    def cuts(most: int) -> list[int]:
        found, at = [], 0
        while (at := at + max(1, most // max(1, int(sizes[at])))) < len(sizes):
            found.append(at)
        return found

    least, most = int(sizes[0]), int(sizes[0]) * len(sizes)
    found = cuts(least + bisect_left(range(least, most), True, key=lambda size: len(cuts(size)) < cells))
    while len(found) < cells - 1:
        rows, start = max((end - start, start) for start, end in pairwise([0, *found, len(sizes)]))
        found = sorted([*found, start + (rows + 1) // 2])
    return found


def count_batches(lengths: Any, batch: int, tokens: int | None) -> int:
    """Global batches in a pass: of `batch` rows, the last perhaps of fewer; or of at least `tokens` tokens each."""
    return max(1, int(np.sum(lengths)) // tokens) if tokens else ceil(len(lengths) / batch)


class Drawn(Examples):
    """Examples with what is drawn for each: by random numbers of its own, whatever batch and process it is in.

    Those of a curriculum come in passes of their stage, whichever epoch it is: an index tells (`Batches`).
    """

    def __init__(
        self,
        examples: Dataset,
        batches: Batches,
        draw: Callable[[dict[str, Any], np.random.Generator], dict[str, Any]],
        redraws: bool,
    ) -> None:
        """redraws: anew in each epoch of the batches."""
        super().__init__(examples)
        self.batches, self.draw, self.redraws = batches, draw, redraws

    def __getitem__(self, index: int) -> dict[str, Any]:
        turn, row = (0, index) if self.batches.stages is None else divmod(index, len(self))
        epoch = self.batches.epoch + turn if self.redraws else 0
        return self.draw(super().__getitem__(row), np.random.default_rng((self.batches.seed or 0, epoch, row)))


class Loader(DataLoader[dict[str, Any]]):
    """A DataLoader over `Batches`; every batch carries `origins`, and an empty cell is a row that counts nothing."""

    def __init__(
        self, rows: Examples, batches: Batches, collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    ) -> None:
        def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
            batch = collate(rows or [self.rows[0]])
            return {**batch, "origins": [row["origin"] for row in rows]}

        self.rows, self.batches = rows, batches
        super().__init__(self.rows, batch_sampler=batches, collate_fn=together)  # type: ignore[arg-type]
        self.seen: list[str] = []
        """Where the rows of the last global batch came from; the trainer fills it, the guard reads it."""

    def __iter__(self) -> Any:
        """The batches, one after the other: torch's own way there costs a small model one step in a hundred."""
        return map(self.of, self.batches)

    def longest(self) -> dict[str, Any]:
        """The micro-batch that takes the most tokens."""
        return self.of(self.batches.longest())

    def of(self, rows: list[int]) -> dict[str, Any]:
        """These rows as a micro-batch."""
        batch: dict[str, Any] = self.collate_fn(self.rows.__getitems__(rows))
        return batch

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each pass."""
        self.batches.set_epoch(epoch)


def input_tokens(batch: dict[str, Any]) -> int:
    """The tokens of a batch, every sequence counted whole and no padding."""
    if "input_tokens" in batch:
        return int(batch["input_tokens"])
    return int(batch["attention_mask"].sum()) if "attention_mask" in batch else int(batch["input_ids"].numel())
