"""The order of a curriculum: stage after stage, once a run, in as many passes as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np

Stretch = tuple[int, int]
"""From where to where: positions in a run, which counts rows or tokens."""


def rows_of(epoch: int, stages: Any, sizes: Any, run: int, seed: int) -> tuple[Any, Any]:
    """The rows of one epoch, in order: of a run of length `run` the stretch that is as long as all rows, (some,) int64; and
    where in the epoch each begins.

    stages, sizes: of each row its stage, and what it counts, 1 or its tokens. Each stage has its share of the run, and is
    shuffled anew in each pass over it. A row in another pass than the epoch's number is its index and, for each pass that
    it is ahead, all rows more (`batches.Drawn` draws by it).
    """
    whole = int(sizes.sum())
    now, found, begins = (epoch * whole, (epoch + 1) * whole), list[Any](), list[Any]()
    begin = done = 0
    for stage in np.unique(stages):
        rows = np.flatnonzero(stages == stage)
        done += int(sizes[rows].sum())
        end = run * done // whole
        for turn, places, starts in _passes(sizes[rows], (begin, end), now, (seed, int(stage))):
            found.append(rows[places] + (turn - epoch) * len(stages))
            begins.append(starts - now[0])
        begin = end
    return np.concatenate(found), np.concatenate(begins)


def _passes(sizes: Any, own: Stretch, now: Stretch, seed: tuple[int, int]) -> Iterator[tuple[int, Any, Any]]:
    """Each pass over the rows of a stage that lies in its own stretch of the run and in that of the epoch, with the rows
    that begin there, and where."""
    low, high, once = max(own[0], now[0]), min(own[1], now[1]), int(sizes.sum())
    if low >= high:
        return
    for turn in range((low - own[0]) // once, ceil((high - own[0]) / once)):
        order = np.random.default_rng((seed[0], turn, seed[1])).permutation(len(sizes))
        starts = own[0] + turn * once + np.cumsum(sizes[order]) - sizes[order]
        here = (starts >= low) & (starts < high)
        yield turn, order[here], starts[here]
