"""Generated texts, some of which are nearly the same, and how alike they are, counted one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from smolrecipes.data.rows import normal

LETTERS = "abcdefghilmnoprstuvzàèéü"


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of 3 to 400 words, of which each is there in up to three versions: words changed, something around it."""
    rng = random.Random(seed)
    known = ["".join(rng.choices(LETTERS, k=rng.randint(2, 9))) for _ in range(3000)]
    weights = [1 / (place + 5) for place in range(len(known))]

    def fresh(size: int) -> list[str]:
        return rng.choices(known, weights, k=size)

    found: list[list[str]] = []
    while len(found) < count:
        words = fresh(rng.choice((3, 12, 60, 150, 400)))
        found.append(words)
        for share in rng.sample((0, 0.01, 0.03, 0.05, 0.1), rng.randint(0, 2)):
            changed = [rng.choice(known) if rng.random() < share else word for word in words]
            around = fresh(len(words) // 16) if rng.random() < 0.3 else []
            found.append([*around, *changed, *around])
    rng.shuffle(found)
    return [" ".join(words).capitalize() + rng.choice((".", "!", "")) for words in found[:count]]


def sets(some: Sequence[str], words: int = 5) -> list[set[tuple[str, ...]]]:
    """The runs of words of each text, written out."""
    split = [normal(text).split(" ") for text in some]
    return [{tuple(one[i : i + words]) for i in range(max(1, len(one) - words + 1))} for one in split]


def alike(some: Sequence[str], threshold: float, words: int = 5) -> dict[tuple[int, int], float]:
    """The pairs of texts, the later first, of which Jaccard's index is the threshold at least."""
    return {pair: share for pair, share in _pairs(tuple(some), words).items() if share >= threshold}


@lru_cache
def _pairs(some: tuple[str, ...], words: int) -> dict[tuple[int, int], float]:
    known = sets(some, words)
    where: dict[tuple[str, ...], list[int]] = {}
    found: dict[tuple[int, int], float] = {}
    for index, mine in enumerate(known):
        met = Counter(other for run in mine for other in where.get(run, ()))
        for other, both in met.items():
            found[index, other] = both / (len(mine) + len(known[other]) - both)
        for run in mine:
            where.setdefault(run, []).append(index)
    return found


def kept(some: Sequence[str], threshold: float, words: int = 5) -> list[int]:
    """The texts that are like no earlier one that is kept."""
    earlier: dict[int, list[int]] = {}
    for later, one in alike(some, threshold, words):
        earlier.setdefault(later, []).append(one)
    found: set[int] = set()
    for index in range(len(some)):
        if not found.intersection(earlier.get(index, ())):
            found.add(index)
    return sorted(found)
