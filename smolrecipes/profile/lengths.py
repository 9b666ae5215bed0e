"""How long rows are: quantiles, and how many have about which length."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset

MOST = 20_000
"""Rows that are measured at most, evenly spread."""
EDGES = (0, *(step * 10**power for power in range(10) for step in (1, 2, 5)))
"""Where the bars of a histogram begin."""
QUANTILES = {"least": 0.0, "5 %": 0.05, "25 %": 0.25, "half": 0.5, "75 %": 0.75, "95 %": 0.95, "most": 1.0}


@dataclass
class Lengths:
    """Of each row its characters and its words, which is what spaces divide."""

    characters: array[int] = field(default_factory=lambda: array("q"))
    words: array[int] = field(default_factory=lambda: array("q"))
    bytes: int = 0
    """Of all texts, in UTF-8."""
    of: int = 0
    """How many rows there are, where not all were measured."""

    def add(self, texts: Sequence[str]) -> None:
        """Counts the texts of one row."""
        self.characters.append(sum(map(len, texts)))
        self.words.append(sum(len(text.split()) for text in texts))
        self.bytes += sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)

    @property
    def sampled(self) -> bool:
        """Whether there are more rows than were measured."""
        return self.of > len(self.characters)

    def table(self) -> dict[str, dict[str, float]]:
        """The quantiles and the mean of both."""
        return {"characters": _quantiles(self.characters), "words": _quantiles(self.words)}


def lengths(rows: Dataset) -> Lengths:
    """The lengths of a dataset's rows; of very many those of MOST, evenly spread."""
    from smolrecipes.data.rows import each, texts

    found = Lengths(of=len(rows))
    for row in each(spread(rows, MOST)):
        found.add(texts(row))
    return found


def spread(rows: Dataset, most: int) -> Dataset:
    """At most so many rows, evenly spread."""
    step = -(-len(rows) // most)
    return rows.select(range(0, len(rows), step)) if step > 1 else rows


def histogram(values: Sequence[int]) -> dict[str, int]:
    """How many values lie in each of the ranges, from the first to the last that holds any: `100 to 200`, the end not in it."""
    counts = Counter(bisect_right(EDGES, value) - 1 for value in values)
    return {_label(place): counts[place] for place in range(min(counts), max(counts) + 1)} if counts else {}


def beside(*several: dict[str, int]) -> dict[str, list[int]]:
    """Histograms over the same ranges."""
    order = [_label(place) for place in range(len(EDGES))]
    places = [order.index(label) for one in several for label in one]
    shown = order[min(places) : max(places) + 1] if places else []
    return {label: [one.get(label, 0) for one in several] for label in shown}


def _label(place: int) -> str:
    start, end = EDGES[place], EDGES[min(place + 1, len(EDGES) - 1)]
    return "0" if not start else f"{_short(start)} to {_short(end)}"


def _short(number: int) -> str:
    """1500000 as 1.5M; the edges are round numbers."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return str(number)


def _quantiles(values: Sequence[int]) -> dict[str, float]:
    import numpy as np

    if not values:
        return {}
    found = np.quantile(np.asarray(values), [*QUANTILES.values()], method="inverted_cdf")
    return {**dict(zip(QUANTILES, map(int, found))), "mean": round(sum(values) / len(values), 1)}
