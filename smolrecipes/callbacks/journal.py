"""A file of JSON lines that a run appends to, and that survives the run's being interrupted and resumed."""

from __future__ import annotations

import itertools
import json
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import TrainingArguments

log = logging.getLogger(__name__)


def run_folder(args: TrainingArguments) -> Path:
    """The run's folder: a recipe's checkpoints lie inside it; any other trainer's output folder is it."""
    folder = Path(str(args.output_dir))
    return folder.parent if folder.name == "checkpoints" else folder


@dataclass
class Journal:
    """One file; `begin` makes it fit the step that training (re)starts from, `write` appends one line."""

    path: Path
    seconds: float = 0.0
    """The time of the last line that was kept: where the clock of a resumed run starts."""
    repeated: set[frozenset[str]] = field(default_factory=set)
    """What was already noted at the step that is resumed from."""
    resumed: int = 0

    def begin(self, step: int) -> None:
        """At step 0 an older file is set aside; later on, lines beyond `step` are dropped, since they come again."""
        self.resumed = step
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists() or not self.path.stat().st_size:
            return
        if step == 0:
            numbered = (self.path.with_suffix(f".{n}{self.path.suffix}") for n in itertools.count(1))
            aside = next(path for path in numbered if not path.exists())
            self.path.rename(aside)
            log.warning("%s was there already; it is now %s", self.path, aside.name)
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()
        rows = [_row(line) for line in lines]
        kept = [row for row in rows if row is not None and row.get("step", 0) <= step]
        if len(kept) < len(lines):
            log.warning("%s: %d lines beyond step %d dropped, they come again", self.path, len(lines) - len(kept), step)
            fresh = self.path.with_suffix(".new")
            fresh.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8", newline="\n")
            fresh.replace(self.path)
        self.seconds = max((row.get("time", 0.0) for row in kept), default=0.0)
        self.repeated = {frozenset(row) for row in kept if row.get("step") == step}

    def write(self, row: dict[str, Any]) -> None:
        """Appends and closes, so that every line is on its way to the disk; a repetition after resuming is left out."""
        row = {name: _number(value) for name, value in row.items()}
        if row["step"] == self.resumed and frozenset(row) in self.repeated:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _row(line: str) -> dict[str, Any] | None:
    """A line's content; None for one that was torn when the run was killed."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _number(value: Any) -> Any:
    """JSON has no nan and no infinity: they become strings. One-element tensors and arrays become numbers."""
    if hasattr(value, "item"):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
