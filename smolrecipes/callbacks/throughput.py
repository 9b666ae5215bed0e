"""How fast training goes, how near to what the machine can do, and where the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.kinds import Callback

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from smolrecipes.callbacks.meter import Meter


class Throughput(Callback):
    """Adds to every training log: useful `tokens_per_second`, `padding_share`, the model's `flops_per_second` and their
    share `mfu` of what products of matrices reach here, and the shares of the time in `time_data`, `time_forward`,
    `time_backward`, `time_optimizer` and `time_other`. Evaluation does not count. Put it before callbacks that read logs."""

    mfu: bool = option(default=True, affects_weights=False)
    """Measure the speed of matrix products once per process, in about 0.2 s, to compare with."""

    def watch(self, loss: Tensor, tokens: int | None = None, labels: int | None = None) -> None:
        """For a trainer that makes its loss outside of the model: tells where the backward pass begins.

        tokens: useful ones of this micro-batch, where they are not those that the model was given. labels: positions
        at which the head was computed, where that was outside of the model too.
        """
        if meter := self._meter():
            meter.watch(loss, tokens, labels)

    def fetch(self) -> None:
        """For a trainer that knows when it begins to fetch data: else time between two steps is taken for it."""
        if meter := self._meter():
            meter.between = "other"
            meter.clock.switch("data")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        from smolrecipes.callbacks.meter import Meter

        self.on_train_end(args, state, control)
        # Not an option: outside the fields, where equality, printing and storing do not see it.
        self.__dict__["_now"] = Meter(kwargs["model"], args, self.mfu)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._switch("other")

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._switch("other")

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._switch("optimizer")

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._switch("other")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._wait(control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._wait(control)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        logs, meter = kwargs["logs"], self._meter()
        if not meter or not {"loss", "train_loss"} & set(logs):
            return
        numbers = meter.read(run="loss" not in logs)
        logs.update(numbers)
        state.log_history[-1].update(numbers)  # what was logged is there already
        meter.wait(control)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._wait(control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._wait(control)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if meter := self.__dict__.pop("_now", None):
            meter.release()

    def _meter(self) -> Meter | None:
        return self.__dict__.get("_now")

    def _switch(self, phase: str) -> None:
        if meter := self._meter():
            meter.clock.switch(phase)

    def _wait(self, control: TrainerControl) -> None:
        if meter := self._meter():
            meter.wait(control)
