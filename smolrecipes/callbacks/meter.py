"""What a run has done and where its time went, since the last log and since it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from smolrecipes.callbacks.clock import PHASES, Clock
from smolrecipes.callbacks.flops import Arithmetic, Pass, read_pass
from smolrecipes.callbacks.peak import matmul_peak

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainingArguments


class Meter:
    """Hooks on a model, which tell a clock where its passes begin and note what it is called with."""

    def __init__(self, model: nn.Module, args: TrainingArguments, mfu: bool) -> None:
        self.device, self.arithmetic = args.device, Arithmetic(model)
        self.peak = _peak(model, args) if mfu and self.arithmetic.known else 0.0
        self.passes: list[Pass] = []
        self.told = 0
        """How many of the passes the trainer has told about."""
        self.whole = torch.zeros(4 + len(PHASES), dtype=torch.float64)
        """Tokens, positions, padding, FLOPs and seconds of the run so far."""
        self.counted = False
        """Whether the arithmetic is known; else the next pass is watched for it."""
        enter: Any = self._enter
        leave: Any = self._leave
        if args.torch_compile or any(module._compiled_call_impl for module in model.modules()):
            # a hook in each layer would cut the graph into pieces; two outside of it do not, if they are left out of it
            self.arithmetic.assume()
            self.counted, enter, leave = True, _untraced(enter), _untraced(leave)
        self.between = "data"
        """What time between two steps belongs to, while nothing is logged or saved."""
        self.clock = Clock(args.device)
        self.clock.switch("" if args.eval_on_start else self.between)
        self.hooks = [
            model.register_forward_pre_hook(enter, with_kwargs=True),
            model.register_forward_hook(leave),
        ]
        trained: list[Any] = [weight for weight in model.parameters() if weight.requires_grad]
        self.first = [weight.register_post_accumulate_grad_hook(self._reached) for weight in trained]

    def wait(self, control: TrainerControl) -> None:
        """After a step the trainer logs, evaluates and saves, in this order, as the flags say; then it takes the next."""
        if control.should_evaluate and not control.should_log:
            self.clock.switch("")
        else:
            self.clock.switch("other" if control.should_log or control.should_save else self.between)

    def watch(self, loss: Any, tokens: int | None, labels: int | None) -> None:
        """What a trainer tells of the passes since it last did: see `Throughput.watch`."""
        told, self.told = self.passes[self.told :], len(self.passes)
        for one in told:
            one.labels = labels
        for index, one in enumerate([one for one in told if one.learns]):
            one.tokens = tokens if tokens is None or not index else 0
        if loss.requires_grad and self.clock.phase == "forward":
            loss.register_hook(self._backward)

    def read(self, run: bool) -> dict[str, float]:
        """The numbers since the last reading, or of the whole run, over all processes."""
        since = torch.tensor([*self._done(), *self.clock.read()], dtype=torch.float64)
        self.whole += since
        wanted = torch.cat([self.whole if run else since, torch.tensor([self.peak, 1.0], dtype=torch.float64)])
        tokens, positions, padding, flops, *spent, peak, world = _summed(wanted, self.device)
        seconds = sum(spent) / world
        if not seconds:
            return {}
        found = {"tokens_per_second": tokens / seconds, "padding_share": padding / positions} if positions else {}
        found |= {"flops_per_second": flops / seconds} if flops else {}
        if peak and flops:  # what the run reached itself counts, where other work slowed the measurement
            self.peak = max(self.peak, flops / seconds / world)
            found["mfu"] = flops / seconds / max(peak, flops / seconds)
        found |= {f"time_{phase}": part / world / seconds for phase, part in zip(PHASES, spent)}
        return {name: float(f"{value:.4g}") for name, value in found.items()}

    def release(self) -> None:
        """Takes the hooks off the model."""
        for hook in (*self.hooks, *self.first):
            hook.remove()

    def _done(self) -> tuple[float, float, float, float]:
        tokens = positions = padding = flops = 0.0
        for one in self.passes:
            spans = one.spans()
            computed = sum(queries for queries, _ in spans)
            flops += self.arithmetic.of(one, spans) if self.arithmetic.known else 0
            if one.learns:
                tokens += computed if one.tokens is None else one.tokens
                positions, padding = positions + one.positions, padding + one.positions - computed
        self.passes, self.told = [], 0
        return tokens, positions, padding, flops

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not module.training and self.clock.phase != "forward":  # no reference within a step
            if self.clock.phase == "data":  # but a sample between two
                self.clock.switch("other")
            return
        if not self.clock.phase:
            return
        if self.clock.phase != "forward":
            self.clock.switch("forward")
        if found := read_pass(args, kwargs):
            self.passes.append(found)
            if found.learns and not self.counted:
                self.counted = True
                self._watch_once(module, found.positions)

    def _watch_once(self, module: nn.Module, positions: int) -> None:
        finish = self.arithmetic.watch(positions)

        def over(*args: Any) -> None:
            finish()
            hook.remove()

        hook = module.register_forward_hook(over)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        loss: Any = getattr(output, "loss", None)
        if getattr(loss, "requires_grad", False) and self.clock.phase == "forward":
            loss.register_hook(self._backward)

    def _backward(self, gradient: Tensor) -> None:
        """The first gradient: that of the loss itself, where it can be had."""
        if self.clock.phase == "forward":
            self.clock.switch("backward")
            torch.autograd.Variable._execution_engine.queue_callback(self._over)

    def _over(self) -> None:
        if self.clock.phase == "backward":
            self.clock.switch("other")

    def _reached(self, weight: Any) -> None:
        """A weight's gradient; where nobody told of the loss, that of the weight which is first has to do."""
        if len(self.first) > 1:
            for hook in self.first:
                hook.remove()
            told = self.clock.phase != "forward"
            self.first = [] if told else [weight.register_post_accumulate_grad_hook(self._reached)]
        if self.clock.phase == "forward":
            self.clock.switch("backward")


def _untraced(hook: Any) -> Any:
    return torch.compiler.disable(hook)  # type: ignore[no-untyped-call]


def _peak(model: nn.Module, args: TrainingArguments) -> float:
    """Of this process, in the precision that it trains in."""
    weights = next(model.parameters()).dtype
    dtype = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else weights
    return matmul_peak(args.device, dtype, torch.get_num_threads())


def _summed(mine: Tensor, device: torch.device) -> list[float]:
    """Over all processes, which log together."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        mine = mine.to(device)
        dist.all_reduce(mine)
    found: list[float] = mine.tolist()
    return found
