"""Rows as sets of shingles, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smolrecipes.near.bands import short
from smolrecipes.near.shingles import Hashes, Sizes

Rows = NDArray[np.int64]

Part = tuple[NDArray[np.uint32], Sizes, Hashes]
"""Of some rows the upper halves of their shingles, how many each has, and the whole of each row's first."""
ENDINGS = 1 << 16
"""Of a shingle: the last 16 bits of its hash."""


class Sets:
    """The sets of shingles of rows, which may lie in several files."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = [np.asarray(flat) for flat, _, _ in parts]  # without what a memory map does at each slice
        self._part = np.repeat(np.arange(len(parts)), [len(sizes) for _, sizes, _ in parts])
        self._sizes: Sizes = np.concatenate([sizes for _, sizes, _ in parts])
        self._stops = np.concatenate([np.cumsum(sizes) for _, sizes, _ in parts])
        self._firsts: Hashes = np.concatenate([firsts for _, _, firsts in parts])

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, row: int) -> NDArray[np.uint32]:
        stop = self._stops[row]
        found: NDArray[np.uint32] = self._parts[self._part[row]][stop - self._sizes[row] : stop]
        return found

    def comparable(self, one: int, others: Rows, least: float) -> Rows:
        """Those of the others that are neither too small nor too large to be so alike."""
        mine, sizes = self._sizes[one], self._sizes[others]
        found: Rows = others[np.minimum(sizes, mine) >= least * np.maximum(sizes, mine)]
        return found

    def similarities(self, one: int, others: Rows, least: float) -> NDArray[np.float64]:
        """Jaccard's index of a row and each of the others, the share of their shingles that both have; 0 below `least`.

        Of most it is enough to know how many endings they have in common, which are no fewer than their shingles are.
        """
        mine, sizes = self[one], self._sizes[others]
        flat = np.concatenate([self[other] for other in others.tolist()])
        ends = np.zeros(ENDINGS, dtype=bool)
        ends[mine % ENDINGS] = True
        most = np.add.reduceat(ends[flat % ENDINGS], np.cumsum(sizes) - sizes, dtype=np.int64)
        found: NDArray[np.float64] = most / (len(mine) + sizes - most)
        for place in np.flatnonzero(found >= least).tolist():
            same = len(np.intersect1d(mine, self[int(others[place])], assume_unique=True))
            found[place] = same / (len(mine) + sizes[place] - same)
        if len(mine) == 1:  # one run, which is the whole of a short text: 32 bits of it are too few for many rows
            found[(sizes == 1) & (self._firsts[others] != self._firsts[one])] = 0
        return np.where(found < least, 0, found)


def distinct(shingles: Hashes, sizes: Sizes) -> Part:
    """Each row's shingles as a set, in order."""
    firsts = shingles[np.cumsum(sizes) - sizes]
    owners = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    keys = (owners << np.uint64(32)) | short(shingles)
    keys.sort()  # much faster here than the hashing of np.unique
    keys = keys[np.diff(keys, prepend=np.uint64(2**64 - 1)) != 0]
    counts = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=len(sizes))
    return keys.astype(np.uint32), counts, firsts
