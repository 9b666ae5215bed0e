"""Reference log-probabilities of preference pairs, computed once before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from smolrecipes.kinds import Layout
    from smolrecipes.objectives.preference import PairwiseObjective


@torch.no_grad()
def add_reference(
    objective: PairwiseObjective, examples: Dataset, model: PreTrainedModel, layout: Layout, pairs: int
) -> Dataset:
    """`examples` with `reference_chosen` and `reference_rejected`: sums over the answers, dropout off, `pairs` at a time."""
    chosen: list[float] = []
    rejected: list[float] = []
    training = model.training
    model.eval()
    for start in range(0, len(examples), pairs):
        rows = [examples[i] for i in range(start, min(start + pairs, len(examples)))]
        made = objective.collate(rows, layout)
        batch = {n: part.to(model.device) if isinstance(part, torch.Tensor) else part for n, part in made.items()}
        pair = objective.logps(model, batch)
        chosen += pair.chosen.tolist()
        rejected += pair.rejected.tolist()
    model.train(training)
    return examples.add_column("reference_chosen", chosen).add_column("reference_rejected", rejected)
