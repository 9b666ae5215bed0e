"""One competitor in a process of its own: `python measure.py '{"competitor": ..., "case": ..., "folder": ...}'`.

Prints a line of JSON: seconds of each timed step, seconds from the process's start to its first step, and the peak of
memory above the level before training. `competitor` may also be `prepare` or `exact`, which measure no time.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from cases import Case


def main() -> None:
    """Does what the one argument says."""
    job = json.loads(sys.argv[1])
    case, folder = Case(**job["case"]), Path(job["folder"])
    if job["competitor"] == "prepare":
        from work import prepare

        found = prepare(case, folder)
    elif job["competitor"] == "exact":
        from exact import compare

        found = compare(case, folder)
    else:
        found = measure(case, folder, job["competitor"], job["started"])
    print(json.dumps(found))


def measure(case: Case, folder: Path, competitor: str, started: float) -> dict[str, Any]:
    """Trains as the competitor does."""
    clock = Clock(case.warm, case.steps)
    if competitor == "bare":
        from bare import trained

        clock.level = None
        trained(case, folder, clock.begin, clock.end)
    else:
        trainer = built(case, folder, competitor)
        trainer.add_callback(clock)
        clock.level = settled()
        trainer.train()
    peak = round(clock.peak, 1) if clock.peak is not None else None
    return {"steps": clock.steps, "first_step": round(clock.first - started, 3), "peak_mib": peak}


def built(case: Case, folder: Path, competitor: str) -> Any:
    """The competitor's trainer, ready to train."""
    if competitor == "padded":
        from padded import trainer

        return trainer(case, folder)
    from work import recipe

    if competitor == "ours":
        return recipe(case, folder).trainer(runs=folder / "runs")
    made = recipe(case, folder, "trl").trainer(runs=folder / "runs")
    for callback in [one for one in made.callback_handler.callbacks if type(one).__module__.startswith("smolrecipes")]:
        made.remove_callback(callback)
    order = json.loads((folder / "facts.json").read_text())["order"]
    made.train_dataset = made.train_dataset.select(order)
    made.args.train_sampling_strategy = "sequential"
    return made


class Clock:
    """A callback that times the steps after the first ones, and reads the memory when the last has ended."""

    def __init__(self, warm: int, steps: int) -> None:
        self.warm, self.last = warm, warm + steps
        self.first = 0.0
        self.level: float | None = None
        self.peak: float | None = None
        self.marks: list[float] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):  # the events of transformers that do not matter here
            return lambda *args, **kwargs: None
        raise AttributeError(name)

    def begin(self) -> None:
        """Before a step."""
        if not self.first:
            self.first = time.time()
            self.level = self.level if self.level is not None else settled()

    def end(self) -> None:
        """After a step."""
        self.marks.append(time.perf_counter())
        if len(self.marks) == self.last and self.level is not None:
            self.peak = status("VmHWM") - self.level

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """transformers' name for `begin`."""
        self.begin()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """transformers' name for `end`."""
        self.end()

    @property
    def steps(self) -> list[float]:
        """Seconds of each timed step, what lies between two steps included."""
        timed = self.marks[self.warm - 1 :]
        return [round(after - before, 5) for before, after in zip(timed, timed[1:])]


def settled() -> float | None:
    """The process's memory in MiB once garbage is given back; its record of the peak starts anew. None outside Linux."""
    if sys.platform != "linux":
        return None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(what: str) -> float:
    """A line of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


if __name__ == "__main__":
    main()
