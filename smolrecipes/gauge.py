"""How much memory some work takes, and how much there is."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import torch

from smolrecipes.heap import give_back

GROUPS = Path("/sys/fs/cgroup")
"""Linux's control groups (version 2), by which containers and schedulers limit memory."""


class Gauge:
    """The most memory held in each phase of some work, in bytes above the level before the work began.

    On a GPU that is what torch's allocator gave out; on a CPU what the system counts of this process, looked at every few
    milliseconds, after what is free in its heap has gone back.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        gc.collect()
        self.level = self._held()
        self.peaks: dict[str, int] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Notes the peak inside, also where it ends with an error."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            top = partial(torch.cuda.max_memory_allocated, self.device)
        else:
            top = partial(_Watch.stop, _Watch(self._held()))
        try:
            yield
        finally:
            self.peaks[name] = max(0, top() - self.level)

    def told(self) -> str:
        """`in MiB above the 512 of before: forward 120, backward 180`."""
        parts = ", ".join(f"{name} {_mib(peak)}" for name, peak in self.peaks.items())
        return f"in MiB above the {_mib(self.level)} of before: {parts}"

    def _held(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device)
        give_back()
        return int(psutil.Process().memory_info().rss)


class _Watch(threading.Thread):
    """Looks at this process's memory, from now on until it is stopped."""

    def __init__(self, now: int) -> None:
        super().__init__(daemon=True)
        self.process, self.done, self.top = psutil.Process(), threading.Event(), now
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.005):
            self._look()

    def stop(self) -> int:
        """The most, in bytes."""
        self.done.set()
        self.join()
        self._look()
        return self.top

    def _look(self) -> None:
        self.top = max(self.top, int(self.process.memory_info().rss))


def free() -> int:
    """Bytes that this process may still take: of the machine's memory, or of what its control groups leave it."""
    return min([int(psutil.virtual_memory().available), *_left_by_groups()])


def _left_by_groups(own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """Of each control group with a limit that this process is in; what it holds of files can go at any time."""
    lines = own.read_text().splitlines() if own.exists() else []
    for name in (line.removeprefix("0::/") for line in lines if line.startswith("0::/")):
        group = GROUPS / name
        for folder in (group, *group.parents):
            if folder.is_relative_to(GROUPS) and (limit := _number(folder / "memory.max")):
                stat = (folder / "memory.stat").read_text().split()
                files = int(stat[stat.index("inactive_file") + 1]) if "inactive_file" in stat else 0
                yield max(0, limit - _number(folder / "memory.current") + files)


def _number(file: Path) -> int:
    """What a file of a control group says; 0 where there is none, or no limit."""
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdecimal() else 0


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f}"
