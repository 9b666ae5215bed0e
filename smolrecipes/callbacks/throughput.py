"""How fast training goes, how near to what the machine can do, and where the time goes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.kinds import Callback

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """For a trainer that knows when it fetches data: else time between two steps is taken for it."""
        if meter := self._meter():
            meter.between = "other"
        self._switch("data")
        yield
        self._switch("other")

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


def whole(history: list[dict[str, float]]) -> dict[str, float]:
    """The numbers of a run, from a trainer's log of it; of its last start, where it was interrupted."""
    last = next((entry for entry in reversed(history) if "train_loss" in entry), {})
    names = ("tokens_per_second", "padding_share", "flops_per_second", "mfu")
    return {name: value for name, value in last.items() if name in names or name.startswith("time_")}


def told(numbers: dict[str, float]) -> str:
    """`4,821 tokens/s (38% MFU): data 1%, forward 31%, backward 60%, optimizer 5%, other 3%`."""
    mfu = f" ({numbers['mfu']:.0%} MFU)" if "mfu" in numbers else ""
    spent = (f"{name.removeprefix('time_')} {share:.0%}" for name, share in numbers.items() if name.startswith("time_"))
    return f"{numbers['tokens_per_second']:,.0f} tokens/s{mfu}: {', '.join(spent)}"
