"""A seeded source of choices: `random.Random`, with quicker `choice`, `sample` and `randint`."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")
SKEW = 3
"""With 3, the first fifth of the words is picked 58 % of the time; what is frequent is learned soon."""


class Dice(Random):
    """The same draws for the same text, on every machine and whatever Python's hash seed."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        return seq[int(self.random() * len(seq))]

    def randint(self, a: int, b: int) -> int:
        return a + int(self.random() * (b - a + 1))

    def pick(self, words: Sequence[T], size: int) -> list[T]:
        """`size` different words, in random order, the first ones of `words` more often, as in any language."""
        found: list[int] = []
        while len(found) < size:
            place = int(self.random() ** SKEW * len(words))
            if place not in found:
                found.append(place)
        return [words[place] for place in found]
