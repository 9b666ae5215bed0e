"""Texts whose tokens are predicted in an order of their own, as XLNet reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from smolrecipes.objectives.layout import padded


def in_order(examples: list[dict[str, Any]], pad_id: int) -> dict[str, Any]:
    """A batch of texts (`input_ids`, `types`, `order`: the places that are predicted, one after the other).

    Whoever is not predicted is seen by all, and sees none that is. The content stream keeps every true token: that
    a prediction does not see itself is the query stream's doing.
    """
    ids, types = (padded([e[name] for e in examples], fill) for name, fill in (("input_ids", pad_id), ("types", 0)))
    count, length = ids.shape
    sizes = np.array([len(e["input_ids"]) for e in examples])
    most = max(len(e["order"]) for e in examples)
    hidden, mapping = np.zeros((count, length, length), np.float32), np.zeros((count, most, length), np.float32)
    labels, at = [], []
    for row, example in enumerate(examples):
        order = np.asarray(example["order"])
        rank = np.full(length, -1)
        rank[order] = np.arange(len(order))
        hidden[row] = (rank[None, :] >= 0) & (rank[None, :] >= rank[:, None])
        mapping[row, np.arange(len(order)), order] = 1
        labels.append(ids[row, order])
        at.append(row * most + np.arange(len(order)))
    rows = np.repeat(np.arange(count), [len(some) for some in labels])
    made = {
        "input_ids": ids, "token_type_ids": types, "attention_mask": (np.arange(length) < sizes[:, None]).astype(np.int64),
        "perm_mask": hidden, "target_mapping": mapping,
        "at": np.concatenate(at), "labels": np.concatenate(labels), "rows": rows,
    }  # fmt: skip
    facts = {"sequences": count, "input_tokens": int(sizes.sum())}
    return {**{name: torch.from_numpy(part) for name, part in made.items()}, **facts}
