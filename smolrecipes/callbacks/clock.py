"""Which phase of training the time goes to, told from the device's own clock where it computes behind Python's back."""

from __future__ import annotations

import time
from typing import Any

import torch

PHASES = ("data", "forward", "backward", "optimizer", "other")


class Clock:
    """`switch` ends a phase and begins the next; `read` tells the seconds of each since the last reading.

    On a GPU a phase ends when the device gets there, not when Python has asked for it: events are put into its queue,
    and nothing waits for them before `read`.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device if device.type in ("cuda", "xpu") else None
        self.phase = ""
        """What time belongs to now; nothing of the above while training pauses."""
        self._spent: dict[str, float] = {}
        self._since = time.perf_counter()
        self._marks: list[tuple[str, Any]] = []

    def switch(self, phase: str) -> None:
        """From now on, time belongs to `phase`."""
        if self.device is not None:
            event = torch.Event(self.device, enable_timing=True)
            event.record()
            self._marks.append((phase, event))
        else:
            now = time.perf_counter()
            self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._since
            self._since = now
        self.phase = phase

    def read(self) -> list[float]:
        """The seconds of each of `PHASES`; the one at hand goes on."""
        self.switch(self.phase)
        if self._marks:
            self._marks[-1][1].synchronize()
            for (phase, begun), (_, ended) in zip(self._marks, self._marks[1:]):
                self._spent[phase] = self._spent.get(phase, 0.0) + begun.elapsed_time(ended) / 1000
            del self._marks[:-1]
        spent, self._spent = self._spent, {}
        return [spent.get(phase, 0.0) for phase in PHASES]
