"""Stops a run that has gone wrong, before it spoils the weights, and says where."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import TrainingStopped
from smolrecipes.kinds import Callback
from smolrecipes.launch import everyones

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter
    from transformers import TrainerControl, TrainerState, TrainingArguments

SCALED_STEPS = 20
"""A float16 gradient scaler finds its scale by overflowing now and then; so many times in a row is no search."""


@dataclass
class _Gradients:
    """What the backward passes of one step gave, in the order in which they gave it."""

    trained: dict[str, Parameter]
    norms: list[tuple[str, Tensor]] = field(default_factory=list)
    hooks: list[Any] = field(default_factory=list)
    reached: list[str] | None = None
    overflows: int = 0
    summed: dict[str, Tensor] = field(default_factory=dict)
    """The norms of all passes' gradients together, where the trainer tells them."""

    def note_each(self) -> None:
        """Each gradient by itself, as it is made: before clipping, and before other processes' gradients are added."""
        for name, weight in self.trained.items():
            self.hooks.append(weight.register_hook(_noting(self, name)))  # type: ignore[no-untyped-call]

    def note_together(self) -> None:
        """All of them at the end of each pass: a GPU waits for the launches of a norm by each weight of a small model."""
        self.release()
        first: Any = self.trained[(self.reached or [])[0]]
        self.hooks.append(first.register_post_accumulate_grad_hook(_at_the_end(self)))

    def take(self) -> list[tuple[str, Tensor]]:
        """The norms of this step, those of the sum where they were told: no hook is needed then, once the order is known."""
        norms, self.norms = self.norms, []
        summed, self.summed = self.summed, {}
        if self.reached is None:
            self.reached = list(dict.fromkeys(name for name, _ in norms))
            _check_reached(self)
            if not summed and _launches_count(self):
                self.note_together()
        if not summed:
            return norms
        self.release()
        return [(name, summed[name]) for name in dict.fromkeys([*self.reached, *summed]) if name in summed]

    def release(self) -> None:
        """Takes the hooks off the weights."""
        while self.hooks:
            self.hooks.pop().remove()

    def held(self) -> list[Tensor]:
        """The gradients that the weights hold; DeepSpeed keeps them elsewhere, and steps before it tells anyone."""
        return [weight.grad for weight in self.trained.values() if weight.grad is not None]


class Guard(Callback):
    """Stops on a loss or gradient that is not finite, before the weights change: names the tensors and the rows."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._release()
        watch = _Gradients(
            {name: weight for name, weight in kwargs["model"].named_parameters() if weight.requires_grad}
        )
        self.__dict__["_watch"] = watch  # not an option: outside the fields, unseen by equality, printing and storing
        watch.note_each()

    def tell(self, norms: dict[str, Tensor]) -> None:
        """For a trainer that has the norm of each gradient, of all passes and before clipping: else each is computed here."""
        if watch := self.__dict__.get("_watch"):
            watch.summed = norms

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        watch: _Gradients = self.__dict__["_watch"]
        norms = watch.take()
        if not _anywhere(_not_finite(watch, norms)):
            watch.overflows = 0
            return
        watch.overflows += 1
        if getattr(kwargs.get("optimizer"), "scaler", None) is not None and watch.overflows < SCALED_STEPS:
            return
        self._release()
        told = _told(state.global_step + 1, watch, norms, kwargs.get("train_dataloader"))
        raise TrainingStopped(told + _whole(args, state))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        for name, what in (("loss", "the loss"), ("eval_loss", "the held-out loss")):
            value = kwargs["logs"].get(name)
            if value is not None and not math.isfinite(value):
                self._release()
                seen = everyones(list(getattr(kwargs.get("train_dataloader"), "seen", ()))) if name == "loss" else []
                rows = _rows(row for each in seen for row in each)
                said = f"step {state.global_step}: {what} is {float(value)}{rows}; {_advice(rows)}"
                raise TrainingStopped(said + _whole(args, state))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._release()

    def _release(self) -> None:
        watch: _Gradients | None = self.__dict__.pop("_watch", None)
        if watch:
            watch.release()


def _noting(watch: _Gradients, name: str) -> Any:
    """A hook that notes a gradient's norm without waiting for it. It sees the gradient before clipping, which makes
    every gradient nan when one is, and before other processes' gradients are added."""
    import torch

    def note(gradient: Tensor) -> None:
        # The squares of float16 would overflow. (The largest entry would do as well, but takes a CPU 15 times longer.)
        wide = torch.float32 if gradient.dtype == torch.float16 else None
        watch.norms.append((name, torch.linalg.vector_norm(gradient, dtype=wide).detach()))

    return note


def _launches_count(watch: _Gradients) -> bool:
    """Whether all gradients lie on one GPU when a pass ends, those of this process alone."""
    import torch.distributed as dist

    alone = not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)
    return alone and bool(held := watch.held()) and {gradient.device.type for gradient in held} == {"cuda"}


def _at_the_end(watch: _Gradients) -> Any:
    """A hook on the weight whose gradient comes first, which notes the norms of all, in their order, when the pass ends."""
    import torch

    def note() -> None:
        held = [(name, grad) for name in watch.reached or () if (grad := watch.trained[name].grad) is not None]
        wide = torch.float32 if any(gradient.dtype == torch.float16 for _, gradient in held) else None
        norms = torch._foreach_norm([gradient for _, gradient in held], dtype=wide)
        watch.norms = list(zip([name for name, _ in held], norms))

    def begin(weight: Any) -> None:
        torch.autograd.Variable._execution_engine.queue_callback(note)

    return begin


def _not_finite(watch: _Gradients, norms: list[tuple[str, Tensor]]) -> Tensor:
    """Whether a gradient is not finite, still on the device: by its norm where each was noted once, of one backward pass
    or of their sum, or where the weights hold none (DeepSpeed); else by the sums that the optimizer will use."""
    import torch

    held, seen = watch.held(), [norm for _, norm in norms]
    if held and (len(held) > len(seen) or len(seen) > len(dict(norms))):
        return ~torch.isfinite(torch.nn.utils.get_total_norm(held))
    if not seen:
        return torch.tensor(False)
    total: Tensor = torch.linalg.vector_norm(torch.stack([norm.to(seen[0]) for norm in seen]))
    return ~total.isfinite()


def _anywhere(bad: Tensor) -> bool:
    """Whether it is so on any process: all stop together, or none does. The one wait for the device."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        bad = bad.float()
        dist.all_reduce(bad, dist.ReduceOp.MAX)
    return bool(bad)


def _check_reached(watch: _Gradients) -> None:
    """Names what should train and got no gradient in the first step."""
    reached = set(watch.reached or ())
    idle = [name for name in watch.trained if name not in reached]
    if watch.trained and len(idle) == len(watch.trained):
        raise TrainingStopped(
            f"no parameter got a gradient in the first step, so nothing would be learned ({len(idle)} should be, "
            f"such as {idle[0]}); the loss does not depend on them: look for detach(), no_grad() or frozen layers"
        )
    if idle:
        import logging

        log = logging.getLogger(__name__)
        log.warning("%d parameters got no gradient in the first step and do not learn: %s", len(idle), _some(idle, 4))


def _told(step: int, watch: _Gradients, norms: list[tuple[str, Tensor]], loader: Any) -> str:
    """The sentence: step, tensors, rows, what to do."""
    mine = [name for name, norm in norms if not math.isfinite(float(norm))]
    told = everyones((mine, list(getattr(loader, "seen", ()))))
    bad = list(dict.fromkeys(name for names, _ in told for name in names))
    rows = _rows(dict.fromkeys(row for _, origins in told for row in origins))
    weights = [name for name, weight in watch.trained.items() if not bool(weight.detach().isfinite().all())]
    if weights and watch.held():
        what = f"weights are not finite: {_some(weights, 3)}"
    elif norms and len(bad) == len({name for name, _ in norms}):
        what = "every gradient is not finite, so the loss itself is not"
    elif bad:
        what = f"gradients are not finite, in the order of the backward pass: {_some(bad, 3)}"
    else:
        what = "each gradient is finite, but their sum over micro-batches or processes is not"
    often = f", for {watch.overflows} steps in a row" if watch.overflows > 1 else ""
    stepped = "DeepSpeed may have taken this step: go on from the last checkpoint"
    kept = "the weights are as before this step" if watch.held() else stepped
    return f"step {step}: {what}{often}{rows}; {kept}. {_advice(rows)}"


def _whole(args: TrainingArguments, state: TrainerState) -> str:
    """The newest checkpoint that verifies, where there is one."""
    from pathlib import Path

    from smolrecipes.checkpoints import newest

    last = newest(Path(str(args.output_dir)))[0] if state.global_step else None
    return f"; the newest whole checkpoint is {last}" if last else ""


def _rows(seen: Iterable[str]) -> str:
    rows = list(seen)
    return f"; the batch held {_some(rows, 8)}" if rows else ""


def _advice(rows: str) -> str:
    look = "look at these rows" if rows else "look for a bad row"
    return f"Try a lower learning rate or a longer warm-up, {look}, or train in float32"


def _some(names: list[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
