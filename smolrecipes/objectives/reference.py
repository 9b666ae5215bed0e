"""Reference log-probabilities of preference pairs, computed once before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from smolrecipes.examples import Examples, lengths
from smolrecipes.objectives.forward import reference

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from smolrecipes.kinds import Layout
    from smolrecipes.objectives.preference import PairwiseObjective


def add_reference(
    objective: PairwiseObjective, examples: Dataset, model: PreTrainedModel, layout: Layout, pairs: int
) -> Dataset:
    """`examples` with `reference_chosen` and `reference_rejected`: sums over the answers, adapter and dropout off, `pairs`
    at a time, those of like length together."""
    rows, order = Examples(examples), np.argsort(-lengths(examples), kind="stable")
    found = np.empty((2, len(order)))
    with reference(model) as frozen:
        for start in range(0, len(order), pairs):
            some = order[start : start + pairs]
            made = objective.collate(rows.__getitems__(some.tolist()), layout)
            batch = {n: part.to(model.device) if isinstance(part, torch.Tensor) else part for n, part in made.items()}
            pair = objective.logps(frozen, batch)
            found[:, some] = torch.stack([pair.chosen, pair.rejected]).cpu()
    return examples.add_column("reference_chosen", found[0]).add_column("reference_rejected", found[1])
