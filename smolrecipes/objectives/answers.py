"""Numbers about a model's answers, as pure functions of arrays: how well it tells classes, follows a scale, finds spans."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Span = tuple[int, int, str]
"""Where an entity begins, where it ends, and its type."""


def confusion(said: NDArray[Any], right: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """(classes, classes): how often the right class of a row was said to be that of a column."""
    return np.bincount(right * classes + said, minlength=classes * classes).reshape(classes, classes)


def macro(table: NDArray[Any]) -> float:
    """The mean F1 of the classes that occur, as right or as said; others have none."""
    there = (table.sum(0) + table.sum(1)) > 0
    return float(f1(table)[there].mean())


def f1(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """(classes,): 2 hits / (said + right) of each class, from a confusion table; 0 where there is nothing to hit."""
    both = table.sum(0) + table.sum(1)
    found: NDArray[np.float64] = 2 * table.diagonal() / np.maximum(both, 1)
    return found


def mcc(table: NDArray[np.int64]) -> float:
    """Matthews' correlation (for two classes phi, in general R_K: Gorodkin 2004); 0 where one side says one thing only."""
    table = table.astype(np.float64)
    said, right, rows = table.sum(0), table.sum(1), table.sum()
    cover = table.trace() * rows - said @ right
    spread = (rows**2 - said @ said) * (rows**2 - right @ right)
    return float(cover / np.sqrt(spread)) if spread > 0 else 0.0


def pearson(x: NDArray[Any], y: NDArray[Any]) -> float:
    """The linear correlation; 0 where one side does not vary."""
    x, y = x - x.mean(), y - y.mean()
    spread = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / spread) if spread > 0 else 0.0


def spearman(x: NDArray[Any], y: NDArray[Any]) -> float:
    """The correlation of the ranks; equal values share the mean of theirs."""
    return pearson(ranks(x), ranks(y))


def auc(scores: NDArray[Any], right: NDArray[Any]) -> float:
    """How often one of class 1 has a higher score than one of class 0, ties counting half: the area under the ROC curve
    (Hanley and McNeil 1982); 0.5 where there is only one class."""
    yes = right == 1
    hits, misses = int(yes.sum()), int((~yes).sum())
    if not hits or not misses:
        return 0.5
    return float((ranks(scores)[yes].sum() - hits * (hits + 1) / 2) / (hits * misses))


def ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """From 1 on, by size; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    shared: NDArray[np.float64] = ((ends - counts + 1 + ends) / 2)[group]
    return shared


def is_bio(tags: Iterable[str]) -> bool:
    """Whether tags say where entities begin and go on (B-PER, I-PER) and what is none (O)."""
    return all(tag == "O" or re.fullmatch(r"[BI]-.+", tag) for tag in tags)


def spans(tags: Sequence[str]) -> set[Span]:
    """The entities that BIO tags mark in one sentence; an I- that continues nothing begins one, as in seqeval."""
    found: set[Span] = set()
    start, kind = 0, ""
    for at, tag in enumerate([*tags, "O"]):
        prefix, _, this = tag.partition("-")
        if kind and (prefix != "I" or this != kind):
            found.add((start, at, kind))
            kind = ""
        if prefix != "O" and not kind:
            start, kind = at, this
    return found


def span_scores(said: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall and F1 of all entities together: one is right where its borders and its type are."""
    pairs = [(spans(one), spans(other)) for one, other in zip(said, right, strict=True)]
    hits, claimed, there = (sum(map(len, side)) for side in zip(*((a & b, a, b) for a, b in pairs)))
    return {
        "precision": hits / max(1, claimed),
        "recall": hits / max(1, there),
        "f1": 2 * hits / max(1, claimed + there),
    }


def plain(text: str) -> str:
    """A text as SQuAD compares it: lower case, without punctuation and English articles, one space between words."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(said: str, right: Sequence[str]) -> float:
    """1 where the answer is one of the right ones, compared as SQuAD does; of a question without answer, none is right."""
    return float(plain(said) in [plain(text) for text in right or [""]])


def overlap(said: str, right: Sequence[str]) -> float:
    """SQuAD's F1: of the words that two answers share, with the right answer that is nearest."""
    return max(_overlap(plain(said).split(), plain(text).split()) for text in right or [""])


def _overlap(said: list[str], right: list[str]) -> float:
    if not said or not right:
        return float(said == right)
    shared = sum((Counter(said) & Counter(right)).values())
    return 2 * shared / (len(said) + len(right))
