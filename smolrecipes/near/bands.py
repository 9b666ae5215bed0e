"""MinHash (Broder 1997): bands of minima that texts have in common the more likely the more alike they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smolrecipes.near.shingles import Hashes, Sizes

Bands = NDArray[np.uint32]

MINIMA = 144
"""Of a text, at most: one for each way of hashing its runs of words."""
FOUND = 0.99
"""The chance that two texts as alike as the threshold have a band in common; those more alike have a greater one."""


def shape(threshold: float) -> tuple[int, int]:
    """How many bands, and of how many minima each: as many as are enough for FOUND, and fit MINIMA."""
    fitting = []
    for minima in range(1, MINIMA + 1):
        alike = threshold**minima
        bands = 1 if alike > FOUND else math.ceil(math.log(1 - FOUND) / math.log1p(-alike)) if alike > 1e-9 else MINIMA
        if bands * minima <= MINIMA:
            fitting.append((bands, minima))
    return fitting[-1] if fitting else (MINIMA, 1)


def bands(shingles: Hashes, sizes: Sizes, threshold: float) -> Bands:
    """The bands of each text, (texts, bands): numbers that are equal where all minima of a band are."""
    many, minima = shape(threshold)
    found = np.empty((len(sizes), many), dtype=np.uint32)
    if not len(sizes):
        return found
    hashes, starts = short(shingles), np.cumsum(sizes) - sizes
    factors, terms = _ways(many * minima)
    room = np.empty_like(hashes)
    for band in range(many):
        mixed = np.zeros(len(sizes), dtype=np.uint64)
        for way in range(band * minima, band * minima + minima):
            np.multiply(hashes, factors[way], out=room)
            np.add(room, terms[way], out=room)
            mixed = (mixed ^ np.minimum.reduceat(room, starts)) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        found[:, band] = short(mixed)
    return found


def short(hashes: Hashes) -> NDArray[np.uint32]:
    """Their upper half."""
    found: NDArray[np.uint32] = (hashes >> np.uint64(32)).astype(np.uint32)
    return found


def _ways(count: int) -> tuple[Any, Any]:
    """Of each way of hashing, its odd factor and its term."""
    drawn = np.random.Generator(np.random.PCG64(1997)).integers(2**32, size=(2, count), dtype=np.uint32)
    return drawn[0] | np.uint32(1), drawn[1]
