"""Says what looks wrong and stops nothing: a loss that jumps, held-out numbers worse than none, frozen weights that move."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Annotated, Any

from smolrecipes.component import option
from smolrecipes.kinds import Callback
from smolrecipes.launch import everyones
from smolrecipes.limits import Gt

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import TrainerControl, TrainerState, TrainingArguments

WINDOW = 20
"""Logged losses that the next one is compared with."""
FEW = 5
"""Of them that there must be at least."""
LEAST = 0.05
"""A jump by less than this share of the loss is none, however quiet it was before."""


@dataclass
class _Seen:
    """What one training has shown so far."""

    losses: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    rows: list[str] = field(default_factory=list)
    """Of the steps since the last log."""
    since: int = 0
    first: float | None = None
    """The held-out loss before the first step."""
    frozen: dict[str, Tensor] = field(default_factory=dict)


class Watch(Callback):
    """Marks loss spikes with the rows of their steps; says when the held-out loss is no better than before training or
    than frequencies alone, and when weights changed that should not have."""

    spread: Annotated[float, Gt(0)] = option(default=6.0, affects_weights=False)
    """Standard deviations above the last losses that make a spike."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        named = kwargs["model"].named_parameters()
        frozen = {name: _fingerprint(weight) for name, weight in named if not weight.requires_grad}
        past = [entry["loss"] for entry in state.log_history if "loss" in entry]
        first = next(
            (entry["eval_loss"] for entry in state.log_history if entry.get("step") == 0 and "eval_loss" in entry), None
        )
        seen = _Seen(deque(past, WINDOW), since=state.global_step, first=first, frozen=frozen)
        self.__dict__["_seen"] = seen  # no option: outside the fields

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._now().rows += getattr(kwargs.get("train_dataloader"), "seen", ())

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        seen, loss = self._now(), kwargs["logs"].get("loss")
        if loss is None or state.global_step == seen.since:
            return
        if len(seen.losses) >= FEW and state.global_step > args.warmup_steps:
            mean, spread = fmean(seen.losses), pstdev(seen.losses)
            if loss > mean + max(self.spread * spread, LEAST * abs(mean)):  # the same on every rank
                rows = [row for each in everyones(seen.rows) for row in each]
                if state.is_world_process_zero:
                    _say(_spike(state.global_step, seen.since, rows, loss, mean))
        seen.losses.append(loss)
        seen.rows, seen.since = [], state.global_step

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        metrics, seen = kwargs.get("metrics", {}), self._now()
        loss, baseline = metrics.get("eval_loss"), metrics.get("eval_baseline")
        if loss is None:
            return
        if state.global_step == 0:
            seen.first = loss
        elif state.global_step > args.warmup_steps and state.is_world_process_zero:
            begins = f"step {state.global_step}: the held-out loss is {loss:.4f}, and"
            if seen.first is not None and loss > seen.first:
                _say(f"{begins} was {seen.first:.4f} before anything was learned; a lower learning rate?")
            elif baseline is not None and loss > baseline:
                _say(f"{begins} {baseline:.4f} is reached by how often each token occurs; more steps, or another rate?")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        named = dict(kwargs["model"].named_parameters())
        moved = [
            name
            for name, was in self._now().frozen.items()
            if name in named and not was.equal(_fingerprint(named[name]))
        ]
        if moved and state.is_world_process_zero:
            _say(f"{len(moved)} frozen weights have changed: {', '.join(moved[:4])}")

    def _now(self) -> _Seen:
        found: _Seen = self.__dict__.setdefault("_seen", _Seen())
        return found


def _say(sentence: str) -> None:
    import logging

    logging.getLogger(__name__).warning("%s", sentence)


def _fingerprint(weight: Any) -> Tensor:
    """A fingerprint of a tensor: its norm and its sum."""
    import torch

    wide = weight.detach()
    wide = wide.float() if wide.is_floating_point() else wide.to(torch.int64)
    return torch.stack([wide.float().norm(), wide.sum().float()])


def _spike(step: int, since: int, rows: list[str], loss: float, mean: float) -> str:
    which = f"step {step}" if step == since + 1 else f"steps {since + 1} to {step}"
    more = f" and {len(rows) - 8:,} more" if len(rows) > 8 else ""
    whose = f"; their rows: {', '.join(rows[:8])}{more}" if rows else ""
    return f"{which}: the loss jumped to {loss:.4f} from about {mean:.4f}{whose}"
