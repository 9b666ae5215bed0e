"""Lists of token ids as padded tensors. Labels are shifted here: the label at a position is the token after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from smolrecipes.objectives.losses import IGNORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def stack(rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int) -> dict[str, Tensor]:
    """Rows of (ids, labels), aligned and of n tokens, as n - 1 positions each, padded on the right.

    Returns `input_ids`, `attention_mask` and `labels`, (rows, longest - 1); padding is labelled IGNORE.
    The last token is only ever a label, so no forward pass is spent on it.
    """
    longest = max(len(ids) for ids, _ in rows) - 1
    inputs = torch.full((len(rows), longest), pad_id)
    labels = torch.full((len(rows), longest), IGNORE)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, (ids, label) in enumerate(rows):
        size = len(ids) - 1
        inputs[index, :size] = torch.as_tensor(ids[:-1])
        labels[index, :size] = torch.as_tensor(label[1:])
        mask[index, :size] = 1
    return {"input_ids": inputs, "attention_mask": mask, "labels": labels}


def labelled(batch: dict[str, Tensor]) -> int:
    """How many positions have a label."""
    return int((batch["labels"] != IGNORE).sum())
