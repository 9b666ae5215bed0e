"""How Unigram learns its pieces: expectation maximisation over all ways to cut each word (Kudo 2018).

The same words always give the same pieces, on every process of a launch; the trainer of the tokenizers library, which
counts in an order of its own each time, gives others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

LONGEST = 16
"""Characters of a piece at most."""
SEEDS = 15
"""Pieces to begin with, for each that is wanted."""
KEPT = 0.75
"""The share of the pieces that a round of pruning keeps."""

RAREST = 1e-9
"""The chance of a piece at least: as many as a word has letters are multiplied, which floats must hold."""


def pieces(words: Mapping[str, int], size: int) -> list[tuple[str, float]]:
    """The `size` pieces that make the words likeliest, with their log-probabilities; more where characters are more."""
    found, counts = _seeds(words, size)
    size = max(size, len(set().union(*words)))
    weights, rows = np.array(list(words.values()), float), np.arange(len(found))
    graph, alone = Graph.of(list(words), found), Graph.of(found, found, whole=False)
    while True:
        for _ in range(2):
            counts = graph.expected(np.maximum(counts / counts.sum(), RAREST), weights)
        if len(found) <= size:
            break
        keep = _best(found, counts, alone.likeliest(_logs(counts))[rows], max(size, int(KEPT * len(found))))
        found, counts, rows = [found[index] for index in keep], counts[keep], rows[keep]
        graph, alone = graph.only(keep), alone.only(keep)
    scored = [(piece, round(score, 6)) for piece, score in zip(found, _logs(counts).tolist(), strict=True)]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def _logs(counts: Any) -> Any:
    floor = np.maximum(counts, 1e-3)
    return np.log(floor / floor.sum())


def _seeds(words: Mapping[str, int], size: int) -> tuple[list[str], Any]:
    """All characters, and the parts of words that cover most of the text."""
    seen: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + LONGEST) + 1):
                seen[word[start:end]] += count
    longer = [part for part, count in seen.items() if len(part) > 1 and count > 1]
    longer.sort(key=lambda part: (-seen[part] * len(part), part))
    found = [*sorted(part for part in seen if len(part) == 1), *longer[: SEEDS * size]]
    return found, np.array([seen[part] for part in found], float)


def _best(found: list[str], counts: Any, others: Any, size: int) -> Any:
    """The indices of every character, and of the pieces without which most likelihood would be lost.

    others: the log-probability of each when it is cut into other pieces.
    """
    single = np.array([len(piece) == 1 for piece in found])
    cost = counts * (_logs(counts) - others)
    order = np.lexsort((np.arange(len(found)), -cost, ~single))
    return np.sort(order[: max(size, int(single.sum()))])


@dataclass(frozen=True)
class Graph:
    """All ways to cut texts into pieces: nodes are places between characters, edges are pieces from place to place."""

    first: Any
    last: Any
    """The nodes where each text begins and ends."""
    steps: list[tuple[Any, Any, Any]]
    """For each distance from a text's beginning, the edges that end there: from where, to where, which piece."""
    nodes: int

    @classmethod
    def of(cls, texts: list[str], found: list[str], whole: bool = True) -> Graph:
        """Of these texts; without `whole`, no text is one piece."""
        known = {piece: index for index, piece in enumerate(found)}
        longest = max(map(len, found))
        steps: list[list[tuple[int, int, int]]] = [[] for _ in range(max(map(len, texts)) + 1)]
        first, last, node = [], [], 0
        for text in texts:
            size = len(text)
            for end in range(1, size + 1):
                for start in range(max(0, end - longest), end):
                    piece = known.get(text[start:end])
                    if piece is not None and (whole or end - start < size):
                        steps[end].append((node + start, node + end, piece))
            first.append(node)
            node += size + 1
            last.append(node - 1)
        edges = [np.array(step, np.int64).reshape(-1, 3).T for step in steps]
        return cls(np.array(first), np.array(last), [(step[0], step[1], step[2]) for step in edges], node)

    def only(self, keep: Any) -> Graph:
        """Of the pieces with these indices, which are counted anew."""
        number = np.full(max((int(piece.max()) for *_, piece in self.steps if len(piece)), default=0) + 1, -1)
        number[keep[keep < len(number)]] = np.flatnonzero(keep < len(number))
        kept = [(start, end, number[piece], number[piece] >= 0) for start, end, piece in self.steps]
        return Graph(self.first, self.last, [(s[m], e[m], p[m]) for s, e, p, m in kept], self.nodes)

    def expected(self, chances: Any, weights: Any) -> Any:
        """How often each piece is used, over all ways to cut each text by their likelihood, `weights` times each text."""
        before, after = np.zeros(self.nodes), np.zeros(self.nodes)
        before[self.first] = 1
        for start, end, piece in self.steps:
            np.add.at(before, end, before[start] * chances[piece])
        total = before[self.last]
        after[self.last] = np.divide(weights, total, out=np.zeros_like(total), where=total > 0)
        used = np.zeros(len(chances))
        for start, end, piece in reversed(self.steps):
            onward = chances[piece] * after[end]
            np.add.at(used, piece, before[start] * onward)
            np.add.at(after, start, onward)
        return used

    def likeliest(self, logs: Any) -> Any:
        """The log-probability of the likeliest way to cut each text."""
        best = np.full(self.nodes, -1e9)
        best[self.first] = 0
        for start, end, piece in self.steps:
            np.maximum.at(best, end, best[start] + logs[piece])
        return best[self.last]
