"""Competitors in a process: `python measure.py '{"do": [...], "case": ..., "folder": ..., "started": ...}'`.

Prints a line of JSON, a list with one entry for each: seconds of each timed step, seconds from the process's start to its
first step, and the peak of memory above the level before training. On a CPU a process takes one competitor, which waits
at a gate between its steps where "gated" says so (`turn.py`), on a GPU several, one after the other, since its allocator
counts what each takes. `prepare` and `exact` measure no time, `correct`
neither; `option:muon` is ours with that entry of `OPTIONS`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from cases import OPTIONS, Case
from turn import GATE


def main() -> None:
    """Does what the one argument says."""
    job = json.loads(sys.argv[1])
    case, folder, started = Case(**job["case"]), Path(job["folder"]), job["started"]
    found = []
    for name in job["do"]:
        found.append(done(case, folder, name, started, job.get("gated", False)))
        started = time.time()
    print(json.dumps(found))


def done(case: Case, folder: Path, what: str, started: float, gated: bool) -> Any:
    """What `what` found."""
    if what == "prepare":
        from work import prepare

        return prepare(case, folder)
    if what == "exact":
        from exact import compare

        return compare(case, folder)
    if what == "correct":
        from correct import compare as compare_kernels

        return compare_kernels(case.device)
    if case.device == "cpu" and ":" not in what:
        return measure(case, folder, what, started, gated)
    try:
        return measure(case, folder, what, started)
    except Exception as error:  # time on a GPU is short: what fails is shown, and the others go on
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}


def measure(case: Case, folder: Path, competitor: str, started: float, gated: bool = False) -> dict[str, Any]:
    """Trains as the competitor does."""
    clock = (CudaClock if case.device == "cuda" else Clock)(case.warm, case.steps, gated)
    history: list[dict[str, Any]] = []
    if competitor == "bare":
        from bare import trained

        clock.level = None
        trained(case, folder, clock.begin, clock.end)
    else:
        trainer = built(case, folder, competitor)
        trainer.add_callback(clock)
        clock.throughput = getattr(trainer, "throughput", None)
        clock.level = clock.settled()
        trainer.train()
        history = trainer.state.log_history
    peak = round(clock.peak, 1) if clock.peak is not None else None
    measured = {"steps": clock.steps, "first_step": round(clock.first - started, 3), "peak_mib": peak}
    return measured | {"shares": shares(history, case.warm)}


def shares(history: list[dict[str, Any]], warm: int) -> dict[str, float]:
    """MFU and where the time of the timed steps went, as the Throughput callback logged it."""
    logs = [log for log in history if log.get("step", 0) > warm and "loss" in log and "time_forward" in log]
    names = [name for name in (logs[0] if logs else {}) if name == "mfu" or name.startswith("time_")]
    return {name: sum(log[name] for log in logs) / len(logs) for name in names}


def built(case: Case, folder: Path, competitor: str) -> Any:
    """The competitor's trainer, ready to train."""
    if competitor == "padded":
        from padded import trainer

        return trainer(case, folder)
    if competitor == "trl_best":
        from best import trainer as best

        return best(case, folder)
    from work import recipe

    if competitor == "ours":
        # so that what is logged last is of the timed steps alone
        return recipe(case, folder, hf={"logging_first_step": True}).trainer(runs=folder / "runs")
    if competitor.startswith("option:"):
        options = OPTIONS[competitor.removeprefix("option:")]
        return recipe(case, folder, **options).trainer(runs=folder / "runs")
    made = recipe(case, folder, "trl").trainer(runs=folder / "runs")
    for callback in [one for one in made.callback_handler.callbacks if type(one).__module__.startswith("smolrecipes")]:
        made.remove_callback(callback)
    order = json.loads((folder / "facts.json").read_text())["order"]
    made.train_dataset = made.train_dataset.select(order)
    made.args.train_sampling_strategy = "sequential"
    return made


class Clock:
    """A callback that times the steps after the first ones, and reads the memory when the last has ended."""

    def __init__(self, warm: int, steps: int, gated: bool) -> None:
        self.warm, self.last, self.gated = warm, warm + steps, gated
        self.first = 0.0
        self.level: float | None = None
        self.peak: float | None = None
        self.marks: list[Any] = []
        self.starts: list[Any] = []
        self.throughput: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):  # the events of transformers that do not matter here
            return lambda *args, **kwargs: None
        raise AttributeError(name)

    def begin(self) -> None:
        """Before a step."""
        if not self.first:
            self.first = time.time()
            self.level = self.level if self.level is not None else self.settled()

    def end(self) -> None:
        """After a step."""
        self.marks.append(self.mark())
        if len(self.marks) == self.last and self.level is not None:
            self.peak = self.most() - self.level
        if len(self.marks) >= self.warm:
            if self.gated:
                self.wait()
            self.starts.append(self.mark())

    def wait(self) -> None:
        """Until the others have taken their steps; which is no time of training's, as Throughput sees it."""
        meter = self.throughput._meter() if self.throughput else None
        phase = meter.clock.phase if meter else ""
        if meter:
            meter.clock.switch("")
        print(f"\n{GATE}", flush=True)
        sys.stdin.readline()
        if meter:
            meter.clock.switch(phase)

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """transformers' name for `begin`."""
        self.begin()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """transformers' name for `end`."""
        self.end()

    @property
    def steps(self) -> list[float]:
        """Seconds of each timed step, what lies between two steps included."""
        timed = zip(self.starts, self.marks[self.warm :])
        return [round(self.between(before, after), 5) for before, after in timed]

    def mark(self) -> Any:
        """Now."""
        return time.perf_counter()

    def between(self, before: Any, after: Any) -> float:
        """Seconds between two marks."""
        return float(after - before)

    def settled(self) -> float | None:
        """The process's memory in MiB once garbage is given back; its record of the peak starts anew. None outside Linux."""
        if sys.platform != "linux":
            return None
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return status("VmRSS")

    def most(self) -> float:
        """The most since `settled`, in MiB."""
        return status("VmHWM")


class CudaClock(Clock):
    """Marks lie in the GPU's own queue, so that measuring lets nobody wait; memory is what torch's allocator gave out."""

    def mark(self) -> Any:
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, before: Any, after: Any) -> float:
        after.synchronize()
        return float(before.elapsed_time(after)) / 1000

    def settled(self) -> float | None:
        import torch

        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20

    def most(self) -> float:
        import torch

        return torch.cuda.max_memory_allocated() / 2**20


def status(what: str) -> float:
    """A line of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


if __name__ == "__main__":
    main()
