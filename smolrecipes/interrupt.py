"""Ending in good order: a signal, or a launcher that died, ends training after the step, with a checkpoint."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from smolrecipes.launch import HEARD, LAUNCHED, everyones, launcher_is_gone

ECHO = 2.0
"""Seconds within which a launched process takes a second signal for the first one, passed on."""
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupt(TrainerCallback):  # type: ignore[misc]
    """Knows whether training should end; after the step that is being taken it saves and stops, on every rank."""

    def __init__(self) -> None:
        self.reason = ""
        """What ended training, once something did: the same on every rank."""
        self.noted = ""
        """What this rank knows of; a signal may come at any moment, also while the ranks talk."""
        self.at = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.noted and launcher_is_gone():
            self.noted = "the launcher has died"
        self.reason = next(filter(None, everyones(self.noted)), "") if args.world_size > 1 else self.noted
        if self.reason and state.global_step < state.max_steps:
            control.should_evaluate, control.should_save, control.should_training_stop = False, True, True

    def note(self, number: int, frame: FrameType | None) -> None:
        """The first signal is noted, the second ends the process at once."""
        now = time.monotonic()
        if self.noted and not (LAUNCHED and now - self.at < ECHO):
            os._exit(128 + number)
        if not self.noted:
            self.noted, self.at = signal.Signals(number).name, now
            if os.environ.get("RANK", "0") == "0":
                with suppress(OSError):  # nobody may be there to read it
                    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, HEARD)
            _mute()


def _mute() -> None:
    """What is printed to a terminal that hung up would raise, and end the run before it has saved: it goes nowhere."""
    for stream in (1, 2):
        try:
            os.tcgetpgrp(stream)
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)
        except AttributeError:  # Windows
            return


@contextmanager
def noted(interrupt: Interrupt) -> Iterator[None]:
    """Signals go to `interrupt` meanwhile; outside of the main thread, where Python hands out none, to nobody."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # who was started with a signal switched off, as by nohup, goes on without it
    taken = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, interrupt.note)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])
