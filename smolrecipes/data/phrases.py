"""Which texts lie inside others, word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE = np.uint64(0x9E3779B97F4A7C15)
"""A run of words is a number: that of the run without its last word, times this, plus its last word's."""


def inside(texts: Sequence[str]) -> dict[str, list[str]]:
    """Of each text that lies inside longer ones: those of them that lie inside no other. All texts are different."""
    sizes, flat = _numbers(texts)
    ends = np.cumsum(sizes)
    owner = np.repeat(np.arange(len(texts)), sizes)
    longer: list[tuple[Any, Any]] = []
    running = np.zeros(len(flat) + 1, dtype=np.uint64)  # the number of the run of `size` words from each word on
    for size in range(1, int(sizes.max(initial=0))):
        running = running[: len(flat) - size + 1] * BASE + flat[size - 1 :]
        (own,) = np.nonzero(sizes == size)
        if not len(own):
            continue
        starts = np.arange(len(running))
        starts = starts[(starts + size <= ends[owner[: len(running)]]) & (sizes[owner[: len(running)]] > size)]
        longer.append(_pairs(running[(ends - sizes)[own]], own, running[starts], owner[starts]))
    parts, wholes = (np.concatenate(side) if longer else np.array([], int) for side in zip(*longer or [((), ())]))
    roots = ~np.isin(wholes, parts)
    found: dict[str, list[str]] = {}
    for part, whole in sorted(set(zip(parts[roots].tolist(), wholes[roots].tolist()))):
        found.setdefault(texts[part], []).append(texts[whole])
    return found


def _numbers(texts: Sequence[str]) -> tuple[Any, Any]:
    """How many words each text has, and a random number for each word of all of them, one after the other."""
    words: dict[str, int] = {}
    split = [text.split() for text in texts]
    ids = np.array([words.setdefault(word, len(words)) for text in split for word in text], dtype=np.int64)
    numbers = np.random.default_rng(0).integers(2**64, size=max(1, len(words)), dtype=np.uint64)
    return np.array([len(text) for text in split], dtype=np.int64), numbers[ids]


def _pairs(keys: Any, names: Any, runs: Any, owners: Any) -> tuple[Any, Any]:
    """(names, owners) of all keys and runs that are the same number; every key is there once."""
    order = np.argsort(keys)
    at = np.searchsorted(keys, runs, sorter=order).clip(max=len(keys) - 1)
    same = keys[order[at]] == runs
    return names[order[at[same]]], owners[same]
