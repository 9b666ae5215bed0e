"""Sequences as one batch: side by side without padding where the architecture packs, else padded on the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from smolrecipes.objectives.losses import IGNORE

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from numpy.typing import NDArray


class Sequence(NamedTuple):
    """Tokens that attend to each other, and what is learned of them."""

    ids: Several[int]
    labels: Several[int]
    """Aligned with the ids; IGNORE where nothing is learned. The label of a token is predicted at the one before it."""
    shares: tuple[int, int] = (0, 0)
    """(i, n): the first n tokens are those of sequence i of the batch and need not be computed again."""


@dataclass(frozen=True)
class Layout:
    """How the sequences of a batch become tensors."""

    pad_id: int = 0
    packed: bool = False
    """Whether the model's attention takes sequences side by side."""

    def __call__(self, sequences: list[Sequence]) -> dict[str, Any]:
        """A batch, whose last tokens are only ever labels, so that no forward pass is spent on them.

        Returns `input_ids`, (1, tokens) packed or (sequences, longest) padded, with what the model needs beside them
        (`position_ids` and `spans`, or `attention_mask` when there is padding); `at`, `labels`, `rows`, (labelled,)
        each: where in the flattened positions a label is predicted, which, and of which sequence it is; and
        `input_tokens`, their number with every sequence counted whole.
        """
        sizes = [len(sequence.ids) - 1 for sequence in sequences]
        level = len(set(sizes)) == 1 and not any(n for _, n in (sequence.shares for sequence in sequences))
        side_by_side = self.packed and not level
        batch, starts = (_pack if side_by_side else self._pad)(sequences, sizes)
        learned = [_learned(s, starts, row, side_by_side) for row, s in enumerate(sequences)]
        at, labels = (torch.from_numpy(np.concatenate(part)) for part in zip(*learned))
        rows = torch.arange(len(sequences)).repeat_interleave(torch.tensor([len(found) for found, _ in learned]))
        return {**batch, "at": at, "labels": labels, "rows": rows, "input_tokens": sum(sizes)}

    def _pad(self, sequences: list[Sequence], sizes: list[int]) -> tuple[dict[str, Any], NDArray[np.int64]]:
        longest = max(sizes)
        inputs = np.full((len(sequences), longest), self.pad_id, dtype=np.int64)
        for row, (sequence, size) in enumerate(zip(sequences, sizes)):
            inputs[row, :size] = sequence.ids[:-1]
        batch = {"input_ids": torch.from_numpy(inputs)}
        if min(sizes) < longest:
            batch["attention_mask"] = (torch.arange(longest) < torch.tensor(sizes)[:, None]).long()
        return batch, np.arange(len(sequences)) * longest


def _pack(sequences: list[Sequence], sizes: list[int]) -> tuple[dict[str, Any], NDArray[np.int64]]:
    from smolrecipes.attention import Span, Spans

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
    batch = {"input_ids": torch.from_numpy(ids)[None], "position_ids": positions[None]}
    return {**batch, "spans": Spans(spans, positions)}, starts


def _learned(
    sequence: Sequence, starts: NDArray[np.int64], row: int, packed: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the labels of a sequence are predicted, and the labels."""
    labels = np.asarray(sequence.labels, dtype=np.int64)[1:]
    (found,) = np.nonzero(labels != IGNORE)
    base, shared = sequence.shares if packed else (row, 0)
    return np.where(found < shared, starts[base] + found, starts[row] + found - shared), labels[found]


def labelled(batch: dict[str, Any]) -> int:
    """How many labels a batch has."""
    return len(batch["labels"])
