"""Every logged number, kept as JSON lines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Callback

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from smolrecipes.callbacks.journal import Journal


@dataclass
class _Writing:
    journal: Journal
    started: float


class Metrics(Callback):
    """Appends every logged number to `metrics.jsonl`: {"step", "epoch", "time" in seconds since the start, ...}."""

    path: str | None = option(default=None, affects_weights=False)
    """The file, a .jsonl; by default metrics.jsonl in the run's folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path and not self.path.endswith(".jsonl"):
            raise RecipeError(f"Metrics.path: lines are appended to it, so it must end with .jsonl, not '{self.path}'")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.__dict__.pop("_writing", None)
        if state.is_world_process_zero:
            self._begin(args, state).journal.begin(state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        writing = self.__dict__.get("_writing") or self._begin(args, state)
        seconds = round(writing.journal.seconds + time.monotonic() - writing.started, 3)
        numbers = {name: value for name, value in kwargs["logs"].items() if name not in ("step", "epoch", "time")}
        writing.journal.write({"step": state.global_step, "epoch": state.epoch, "time": seconds, **numbers})

    def _begin(self, args: TrainingArguments, state: TrainerState) -> _Writing:
        from smolrecipes.callbacks.journal import Journal, run_folder

        # Not an option: outside the fields, where equality, printing and storing do not see it.
        journal = Journal(Path(self.path) if self.path else run_folder(args) / "metrics.jsonl")
        writing: _Writing = self.__dict__.setdefault("_writing", _Writing(journal, time.monotonic()))
        return writing
