"""Rows that have a band in common, compared exactly: which one each is like, or which belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smolrecipes.near.bands import Bands
from smolrecipes.near.sets import Rows, Sets

MANY = 256
"""Rows that are compared with one at once, at most."""


class Met:
    """Rows by the bands that they have in common with others."""

    def __init__(self, bands: Bands) -> None:
        found = [_in_common(band) for band in bands.T]
        counts = np.cumsum([0, *(int(buckets.max(initial=-1)) + 1 for _, buckets in found)])
        rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in found)])
        buckets = np.concatenate([np.zeros(0, np.int64), *(one + first for (_, one), first in zip(found, counts))])
        self._buckets = buckets[np.argsort(rows, kind="stable")]
        self._stops = np.cumsum(np.bincount(rows, minlength=len(bands)))
        sizes = np.bincount(buckets, minlength=counts[-1])
        self._starts, self._filled = np.cumsum(sizes) - sizes, np.zeros_like(sizes)
        self._slots = np.zeros(len(rows), dtype=np.int64)

    def before(self, row: int) -> Rows:
        """The rows put there before that have a band in common with it, those with the most bands first."""
        met = [self._slots[start : start + filled] for start, filled in self._places(row) if filled]
        if not met:
            return np.zeros(0, np.int64)
        others, times = np.unique(np.concatenate(met), return_counts=True)
        return others[np.argsort(-times, kind="stable")]

    def put(self, row: int) -> None:
        """Later ones meet it."""
        mine = self._of(row)
        self._slots[self._starts[mine] + self._filled[mine]] = row
        self._filled[mine] += 1

    def _places(self, row: int) -> Any:
        mine = self._of(row)
        return zip(self._starts[mine].tolist(), self._filled[mine].tolist())

    def _of(self, row: int) -> Rows:
        return self._buckets[self._stops[row - 1] if row else 0 : self._stops[row]]


def meeting(parts: Sequence[Bands]) -> NDArray[np.bool_]:
    """Whether each row, of all parts, has a band in common with another; one band is looked at after the other."""
    found = np.zeros(sum(map(len, parts)), dtype=bool)
    for number in range(parts[0].shape[1]):
        found[_in_common(np.concatenate([part[:, number] for part in parts]))[0]] = True
    return found


def likeness(bands: Bands, sets: Sets, threshold: float) -> Rows:
    """Of each row the earlier one that it is like and that stays, -1 where it stays itself."""
    met, found = Met(bands), np.full(len(bands), -1, dtype=np.int64)
    for row in range(len(bands)):
        others, size = sets.comparable(row, met.before(row), threshold), 1
        while len(others) and found[row] < 0:
            like = others[:size][sets.similarities(row, others[:size], threshold) >= threshold]
            found[row] = like[0] if len(like) else -1
            others, size = others[size:], min(4 * size, MANY)
        if found[row] < 0:
            met.put(row)
    return found


def clusters(bands: Bands, sets: Sets, threshold: float) -> Rows:
    """Of each row the first that it belongs to: by way of rows of which each is like the next."""
    met, first = Met(bands), np.arange(len(bands))
    members = {row: [row] for row in range(len(bands))}
    for row in range(len(bands)):
        others, size, most = sets.comparable(row, met.before(row), threshold), 1, 0.0
        while len(others) and most < 1:
            shares = sets.similarities(row, others[:size], threshold)
            most = max(most, float(shares.max()))
            for one in others[:size][shares >= threshold].tolist():
                _join(first, members, int(first[one]), int(first[row]))
            others = others[size:][first[others[size:]] != first[row]]
            size = min(4 * size, MANY)
        if most < 1:  # what is equal meets the same rows
            met.put(row)
    return np.array([min(members[one]) for one in first.tolist()], dtype=np.int64)


def _in_common(band: NDArray[np.uint32]) -> tuple[Rows, Rows]:
    """The rows that share their number with another, and which of the shared ones it is, counted from 0."""
    order = np.argsort(band, kind="stable")
    first = np.diff(band[order].astype(np.int64), prepend=-1) != 0
    group = np.cumsum(first) - 1
    several = np.bincount(group, minlength=1) > 1
    there = several[group]
    return order[there], (np.cumsum(several) - 1)[group[there]]


def _join(first: Rows, members: dict[int, list[int]], one: int, other: int) -> None:
    """The smaller of two clusters becomes part of the larger."""
    if one == other:
        return
    large, small = sorted((one, other), key=lambda name: -len(members[name]))
    joined = members.pop(small)
    first[joined] = large
    members[large] += joined
