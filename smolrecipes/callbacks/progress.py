"""One line that says how training goes."""

from __future__ import annotations

import atexit
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smolrecipes.kinds import Callback

if TYPE_CHECKING:
    from rich.console import Console
    from transformers import TrainerControl, TrainerState, TrainingArguments


@dataclass
class _Line:
    """What is shown, and when the clocks started."""

    console: Console
    first_step: int
    started: float
    tokens: float | None
    since: float
    shown: dict[str, str] = field(default_factory=dict)
    live: Any = None


class Progress(Callback):
    """Step, loss, held-out loss, tokens per second, time left and memory: a bar in a terminal, else a line per log."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._stop()
        if not state.is_world_process_zero:
            return
        from rich.console import Console

        now = time.monotonic()
        line = _Line(Console(highlight=False), state.global_step, now, _tokens(state, {}), now)
        self.__dict__["_now"] = line
        if line.console.is_terminal:
            line.live = _bar(line.console, state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        line = self._line()
        if line and line.live:
            line.shown |= _left(line, state)
            line.live.update(line.live.task_ids[0], completed=state.global_step, told=_told(line.shown))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        line, logs = self._line(), kwargs["logs"]
        if not line or "train_loss" in logs:
            return
        line.shown |= _losses(logs) | _speed(line, state, logs) | _left(line, state) | _memory()
        if line.live:
            line.live.update(line.live.task_ids[0], completed=state.global_step, told=_told(line.shown))
        else:
            line.console.print(f"step {state.global_step}/{state.max_steps}  {_told(line.shown)}", soft_wrap=True)
            line.shown.pop("held-out", None)  # repeated on later lines it would read as a number that does not move

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._stop()

    def _line(self) -> _Line | None:
        # Not an option: outside the fields, where equality, printing and storing do not see it.
        return self.__dict__.get("_now")

    def _stop(self) -> None:
        line = self.__dict__.pop("_now", None)
        if line and line.live:
            line.live.stop()
            atexit.unregister(line.live.stop)


def _bar(console: Console, state: TrainerState) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    live = Progress(BarColumn(20), MofNCompleteColumn(), TextColumn("{task.fields[told]}"), console=console)
    live.add_task("train", total=state.max_steps, completed=state.global_step, told="")
    live.start()
    atexit.register(live.stop)  # an error ends training without its last event; the cursor must come back
    return live


def _told(shown: dict[str, str]) -> str:
    order = ("loss", "held-out", "speed", "left", "memory")
    return "  ".join(shown[name] for name in order if name in shown)


def _losses(logs: dict[str, Any]) -> dict[str, str]:
    names = {"loss": "loss", "eval_loss": "held-out"}
    return {shown: f"{shown} {float(logs[name]):.4f}" for name, shown in names.items() if name in logs}


def _tokens(state: TrainerState, logs: dict[str, Any]) -> float | None:
    """Tokens seen so far, if the trainer counts them (TRL's log `num_tokens`)."""
    return state.num_input_tokens_seen or logs.get("num_tokens")


def _speed(line: _Line, state: TrainerState, logs: dict[str, Any]) -> dict[str, str]:
    """What `Throughput` found, or tokens per second since the last training log, where the trainer counts tokens."""
    if "loss" not in logs:
        if "eval_loss" in logs:  # evaluation is not training time
            line.since, line.started = time.monotonic(), line.started + logs.get("eval_runtime", 0.0)
        return {}
    if "tokens_per_second" in logs:
        told = f" ({logs['mfu']:.0%} MFU)" if "mfu" in logs else ""
        lost = {"padding": logs["padding_share"], "waiting for data": logs["time_data"]}
        costs = "".join(f"  {share:.0%} {what}" for what, share in lost.items() if share >= 0.01)
        return {"speed": f"{logs['tokens_per_second']:,.0f} tokens/s{told}{costs}"}
    now, before, after = time.monotonic(), line.tokens, _tokens(state, logs)
    spent, line.since, line.tokens = now - line.since, now, after
    if after is None or spent <= 0:
        return {}
    return {"speed": f"{(after - (before or 0)) / spent:,.0f} tokens/s"}


def _left(line: _Line, state: TrainerState) -> dict[str, str]:
    done, still = state.global_step - line.first_step, state.max_steps - state.global_step
    if done <= 0:
        return {}
    seconds = round((time.monotonic() - line.started) / done * max(still, 0))
    hours, rest = divmod(seconds, 3600)
    return {"left": f"ETA {f'{hours}:' if hours else ''}{rest // 60:02d}:{rest % 60:02d}"}


def _memory() -> dict[str, str]:
    """The most memory held so far: of the GPU when one is used, else of the process; Windows does not tell."""
    import torch

    if torch.cuda.is_available() and torch.cuda.memory_allocated():
        held = float(torch.cuda.max_memory_allocated())
    elif sys.platform == "win32":
        return {}
    else:
        import resource

        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)
    return {"memory": f"{held / 2**30:.2f} GiB" if held >= 2**30 else f"{held / 2**20:.0f} MiB"}
