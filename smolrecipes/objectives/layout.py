"""Sequences as one batch: side by side without padding where the architecture packs, else padded on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from smolrecipes.objectives.losses import IGNORE

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from numpy.typing import NDArray

    from smolrecipes.kinds import Layout


class Sequence(NamedTuple):
    """Tokens that attend to each other, and what is learned of them."""

    ids: Several[int]
    labels: Several[int]
    """Aligned with the ids; IGNORE where nothing is learned. The label of a token is predicted at the one before it."""
    shares: tuple[int, int] = (0, 0)
    """(i, n): the first n tokens are those of sequence i of the batch and need not be computed again."""


def lay_out(given: Several[tuple[Any, ...]], layout: Layout) -> dict[str, Any]:
    """A batch of sequences, whose last tokens are only ever labels, so that no forward pass is spent on them.

    See `kinds.Layout`, which calls it.
    """
    sequences = [Sequence(*one) for one in given]
    sizes = [len(sequence.ids) - 1 for sequence in sequences]
    level = len(set(sizes)) == 1 and not any(sequence.shares[1] for sequence in sequences)
    packed = layout.packed and not level
    batch, starts = _pack(sequences, sizes, layout.first) if packed else _pad(sequences, sizes, layout.pad_id)
    at, labels, rows = map(torch.from_numpy, _learned(sequences, sizes, starts, packed))
    facts = {"sequences": len(sizes), "input_tokens": sum(sizes)}
    return {**batch, "at": at, "labels": labels, "rows": rows, **facts}


def _pad(sequences: list[Sequence], sizes: list[int], pad_id: int) -> tuple[dict[str, Any], NDArray[np.int64]]:
    longest = max(sizes)
    inputs = np.full((len(sequences), longest), pad_id, dtype=np.int64)
    for row, (sequence, size) in enumerate(zip(sequences, sizes)):
        inputs[row, :size] = sequence.ids[:-1]
    batch = {"input_ids": torch.from_numpy(inputs)}
    if min(sizes) < longest:
        batch["attention_mask"] = (torch.arange(longest) < torch.tensor(sizes)[:, None]).long()
    return batch, np.arange(len(sequences)) * longest


def _pack(sequences: list[Sequence], sizes: list[int], first: int) -> tuple[dict[str, Any], NDArray[np.int64]]:
    from smolrecipes.spans import Span, Spans

    own = [size - n for size, (_, n) in zip(sizes, (sequence.shares for sequence in sequences))]
    starts = np.cumsum([0, *own])[:-1]
    ids = np.concatenate([np.asarray(s.ids[s.shares[1] : -1], dtype=np.int64) for s in sequences])
    positions = torch.from_numpy(np.concatenate([np.arange(s.shares[1], n) for s, n in zip(sequences, sizes)]))
    spans = [
        Span(int(start), int(start + size), int(starts[s.shares[0]]), int(starts[s.shares[0]] + s.shares[1]))
        if s.shares[1]
        else Span(int(start), int(start + size))
        for s, start, size in zip(sequences, starts, own)
        if size
    ]
    batch = {"input_ids": torch.from_numpy(ids)[None], "position_ids": positions[None] + first}
    return {**batch, "spans": Spans(spans, positions)}, starts


def _learned(
    sequences: list[Sequence], sizes: list[int], starts: NDArray[np.int64], packed: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where labels are predicted, which, and of which sequence each is: (labelled,) each, for all sequences at once."""
    labels = np.concatenate([np.asarray(sequence.labels, dtype=np.int64)[1:] for sequence in sequences])
    rows = np.repeat(np.arange(len(sizes)), sizes)
    places = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    (found,) = np.nonzero(labels != IGNORE)
    labels, rows, places = labels[found], rows[found], places[found]
    base, shared = np.array([s.shares if packed else (0, 0) for s in sequences])[rows].T
    at = np.where(places < shared, starts[base] + places, starts[rows] + places - shared)
    return at, labels, rows
