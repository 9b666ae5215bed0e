"""What a step takes, from a few of them on a model that is thrown away."""

from __future__ import annotations

import time
from typing import Any

STEPS = 3
"""Micro-batches that are timed, after one that is not."""


def measure(trainer: Any) -> list[str]:
    """Sentences: the time of the whole run, and the memory of its longest batch."""
    from smolrecipes.memory import rehearse
    from smolrecipes.trainer import RecipeTrainer

    if not isinstance(trainer, RecipeTrainer):
        return [f"time and memory are not measured: {type(trainer).__name__} is not ours"]
    gauge = rehearse(trainer)
    seconds = _seconds(trainer)
    steps, passes = trainer.args.max_steps, trainer.args.gradient_accumulation_steps
    return [
        f"{steps:,} steps, each of {passes} forward and backward passes at {seconds:.2f} s: about {_long(steps * passes * seconds)}, evaluations apart",
        f"memory of the longest batch, {gauge.told()}",
    ]


def _seconds(trainer: Any) -> float:
    """A usual micro-batch forward and backward; the optimizer's step and evaluations come on top."""
    import torch

    def now() -> float:
        if trainer.args.device.type != "cpu":  # which has only been told what to do by then
            torch.accelerator.synchronize()
        return time.monotonic()

    trainer.model.train()
    start, taken = 0.0, 0
    for number, batch in zip(range(STEPS + 1), trainer.get_train_dataloader()):
        if number == 1:
            start = now()
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(batch))
        loss.backward()
        trainer.model.zero_grad()
        taken = number
    return (now() - start) / taken if taken else 0.0


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7_200 else f"{seconds / 3_600:,.1f} h"
