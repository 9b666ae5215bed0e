"""The first module of all: an interrupt while the command line is still being imported ends it without a word."""

from __future__ import annotations

import os
import signal
import sys


def begun() -> None:
    """From here on an interrupt is Python's own again, which ends a command in good order."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Whether this process is `smolrecipes ...` or `python -m smolrecipes ...`, and not a program that imports us."""
    called, words = sys.argv[0] if sys.argv else "", sys.orig_argv
    if called == "-m":  # it stands there until the module is found
        return words[words.index("-m") :][1:2] == ["smolrecipes"]
    return os.path.splitext(os.path.basename(called))[0] == "smolrecipes"


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
