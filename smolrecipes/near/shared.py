"""Runs of words that texts share with those of an index: which of its texts a text has something in common with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smolrecipes.near.shingles import Hashes, Sizes, batches, growing, word_hashes

Owners = NDArray[np.int64]

FILTER = np.uint64(40)
"""The upper 24 bits of a hash say whether it can be in the index: a table that is faster than a search."""
NONE = np.iinfo(np.int64).max
"""The owner of what is not in the index."""


@dataclass(frozen=True)
class Index:
    """The runs of words of some texts, by their hash."""

    least: int
    runs: dict[int, tuple[Hashes, Owners]]
    """For each number of words: sorted hashes, and the text that each is of. Below `words` there are whole texts."""
    there: NDArray[np.bool_]
    """By the upper bits of a hash, whether any run has them."""

    def owners(self, texts: Sequence[str]) -> Owners:
        """Of each text, the first text of the index that it shares something with, -1 where there is none."""
        hashes, sizes = word_hashes(texts)
        ends, of = np.cumsum(sizes), np.repeat(np.arange(len(sizes)), sizes)
        found = np.full(len(sizes), NONE)
        for size, running in growing(hashes, max(self.runs, default=0)):
            if size not in self.runs:
                continue
            (at,) = np.nonzero(self.there[running >> FILTER])
            at = at[at + size <= ends[of[at]]]
            if size < self.least:  # as a whole text only
                at = at[sizes[of[at]] == size]
            known, owner = self.runs[size]
            places = np.searchsorted(known, running[at]).clip(max=len(known) - 1)
            same = known[places] == running[at]
            np.minimum.at(found, of[at[same]], owner[places[same]])
        return np.where(found == NONE, -1, found)


def index(texts: Sequence[str], words: int, least: int) -> Index:
    """An index of the runs of so many words. Shorter texts count as a whole: inside others if they have `least` words."""
    hashes, sizes = (np.concatenate(part) for part in zip(*map(word_hashes, [[], *batches(texts)])))
    starts, of = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)
    there = np.zeros(1 << (64 - int(FILTER)), dtype=bool)
    runs = {}
    for size, running in growing(hashes, words):
        at = starts[sizes == size] if size < words else _within(len(running), size, starts + sizes, of)
        if len(at):
            runs[size] = _first(running[at], of[at])
            there[running[at] >> FILTER] = True
    return Index(min(least, words), runs, there)


def _within(count: int, size: int, ends: Sizes, of: Owners) -> Owners:
    """The places from which on a run lies within one text."""
    at = np.arange(count)
    return at[at + size <= ends[of[:count]]]


def _first(hashes: Hashes, owners: Owners) -> tuple[Hashes, Owners]:
    """Each hash once, sorted, with its first owner."""
    known, places = np.unique(hashes, return_index=True)
    return known, owners[places]
