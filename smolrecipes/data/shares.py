"""How many rows each source of a mixture gives, and in which order they come."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

PLAIN = ("text", "source", "target")
SOME = 1_000
"""Texts that are measured together."""


def is_plain(rows: Dataset) -> bool:
    """Whether all their text lies in columns of text, whose bytes Arrow knows without reading them."""
    return set(rows.column_names) <= {*PLAIN, "origin"}


def sizes(rows: Dataset, tokenizer: PreTrainedTokenizerBase | None = None) -> Any:
    """Of each row the bytes of its texts in UTF-8, or their tokens, (rows,) int64."""
    import numpy as np
    import pyarrow.compute as pc

    from smolrecipes.data.rows import each, texts

    if tokenizer is None and is_plain(rows):
        table = rows.with_format("arrow")[:] if rows._indices is not None else rows.data
        names = [name for name in PLAIN if name in rows.column_names]
        return sum(pc.binary_length(table.column(name)).to_numpy().astype(np.int64) for name in names)
    found = np.zeros(len(rows), np.int64)
    waiting: list[tuple[int, str]] = []
    for index, row in enumerate(each(rows)):
        waiting += [(index, text) for text in texts(row)]
        if len(waiting) >= SOME or index == len(rows) - 1:
            np.add.at(found, [at for at, _ in waiting], _measured([text for _, text in waiting], tokenizer))
            waiting = []
    return found


def _measured(texts: list[str], tokenizer: PreTrainedTokenizerBase | None) -> list[int]:
    if tokenizer is None:
        return [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    from smolrecipes.objectives.text import encode_many

    return [len(ids) for ids in encode_many(texts, tokenizer)]


def without_repeating(caps: Sequence[float], weights: Sequence[float]) -> int:
    """How many rows there are by these weights when none gives more than its cap."""
    return int(min(cap / weight for cap, weight in zip(caps, weights, strict=True)) * sum(weights) + 1e-9)


def counts(total: int, weights: Sequence[float], caps: Sequence[float]) -> list[int]:
    """So many rows shared out by weight, to the nearest; what one cannot give beyond its cap the others give."""
    exact = _shared_out(total, weights, caps)
    found = [int(share + 1e-9) for share in exact]
    for i in sorted(range(len(exact)), key=lambda i: (found[i] - exact[i], i)):
        found[i] += found[i] < caps[i] and sum(found) < total
    return found


def _shared_out(total: float, weights: Sequence[float], caps: Sequence[float]) -> list[float]:
    found, free = list(caps), set(range(len(caps)))
    while free:
        whole = sum(weights[i] for i in sorted(free))
        shares = {i: total * weights[i] / whole for i in free}
        over = [i for i in sorted(free) if shares[i] > caps[i] + 1e-9]
        if not over:
            return [shares.get(i, found[i]) for i in range(len(caps))]
        free -= {*over}
        total -= sum(caps[i] for i in over)
    return found


def order(sizes: Sequence[int], counts: Sequence[int], apart: bool = False) -> list[int]:
    """Indices into the sources laid end to end: each one's rows in a fixed shuffled order, spread evenly over all.

    Every row of a source comes k times before any comes k + 1 times. apart: one source after the other.
    """
    placed = []
    start = 0
    for source, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        shuffled = sorted(range(size), key=lambda i: hashlib.sha256(f"{source}:{i}".encode()).digest())
        placed += [
            (source if apart else 0, (n + 0.5) / count, source, start + shuffled[n % size]) for n in range(count)
        ]
        start += size
    return [index for *_, index in sorted(placed)]
