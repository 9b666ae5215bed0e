"""A callback: something that watches a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.component import Component

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments


class Callback(Component, kind="callback"):
    """Something that watches a run: itself a `TrainerCallback`, usable in any transformers or TRL Trainer."""

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called when the trainer is made; every other `on_*` event of `TrainerCallback` has the same signature."""


for _event in [
    "train_begin",
    "train_end",
    "epoch_begin",
    "epoch_end",
    "step_begin",
    "pre_optimizer_step",
    "optimizer_step",
    "substep_end",
    "step_end",
    "evaluate",
    "predict",
    "save",
    "log",
    "prediction_step",
    "push_begin",
]:
    setattr(Callback, f"on_{_event}", Callback.on_init_end)
