"""A turn of a case on a CPU: competitors in processes of their own, which take their steps one after the other.

A shared machine is faster for some seconds and then slower, by a third and more; so only what follows step by step can
be compared. While one computes, the others wait.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, Any

GATE = "-- at the gate --"
"""What a competitor prints where it waits for a line."""


class Competitor:
    """A process that trains a step whenever it is told to."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process lives)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )
        self.last = ""
        self.reach()

    def reach(self) -> None:
        """Waits until it stands at its gate, or has ended."""
        for line in self.process.stdout or ():
            if line.strip() == GATE:
                return
            self.last = line

    def step(self) -> None:
        """Has it do what comes next; one that has ended does nothing."""
        with suppress(BrokenPipeError):
            if self.process.stdin:
                self.process.stdin.write("\n")
                self.process.stdin.flush()
                self.reach()

    def found(self) -> Any:
        """What it measured, once it has ended; the signal that killed it, for want of memory say."""
        self.step()
        code = self.process.wait()
        if code > 0:
            self.errors.seek(0)
            sys.exit(self.errors.read())
        return {"killed": -code} if code else json.loads(self.last)[0]


def step_by_step(
    names: Iterable[str], command: Callable[[list[str]], list[str]], environment: dict[str, str], steps: int
) -> dict[str, Any]:
    """What each found. One starts and takes its first steps after the other, and then each step in turns."""
    competing: dict[str, Competitor] = {}
    try:
        for name in names:
            competing[name] = Competitor(command([name]), environment)
        for _ in range(steps):
            for one in competing.values():
                one.step()
        return {name: one.found() for name, one in competing.items()}
    finally:  # nobody trains on beside what is measured next
        for one in competing.values():
            one.process.kill()
