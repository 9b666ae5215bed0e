"""The held-out loss of one who only knows how often each token is learned: a model that is worse has learned nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from torch import Tensor

    from smolrecipes.trainer import RecipeTrainer

ENOUGH = 200_000
"""Learned tokens of the training rows after which their frequencies are known well enough."""


def by_frequency(trainer: RecipeTrainer) -> float:
    """Cross-entropy of the held-out labels under the training labels' frequencies, each token counted once more than
    it occurs (Laplace); in nats per token. For objectives in which every label counts the same."""
    size = trainer.model.config.vocab_size
    train = trainer.get_train_dataloader(staged=False)  # the first stage is not like all rows
    seen, held_out = _count(train, size, ENOUGH), _count(trainer.get_eval_dataloader(), size)
    seen, held_out = trainer.accelerator.reduce(torch.stack([seen, held_out]).to(trainer.args.device)).cpu().double()
    chances = (seen + 1) / (seen.sum() + size)
    return -float(held_out @ chances.log() / held_out.sum().clamp(min=1))


def _count(batches: Iterable[dict[str, Any]], size: int, enough: float = float("inf")) -> Tensor:
    """How often each token is a label, (size,)."""
    found, total = torch.zeros(size, dtype=torch.int64), 0
    for batch in batches:
        labels = batch["labels"] if batch["origins"] else batch["labels"][:0]
        found += torch.bincount(labels, minlength=size)
        total += len(labels)
        if total >= enough:
            break
    return found
