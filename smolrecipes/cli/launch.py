"""Several processes through `accelerate launch`, keeping our exit code and our sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from smolrecipes.cli import REPORT
from smolrecipes.launch import HEARD, free_port

PATIENCE = 60.0
"""Seconds in which workers that were asked to stop should have saved."""


def launch(processes: int, arguments: list[str]) -> int:
    """Runs `smolrecipes run` with these arguments in so many processes; returns our exit code.

    What the launcher writes to stderr after one of ours reported a mistake is its own traceback, and is dropped.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = {**os.environ, REPORT: str(report), "SMOLRECIPES_PROCESSES": str(processes)}
        environment["SMOLRECIPES_LAUNCHER"] = str(os.getpid())  # workers end when this process does
        # in a session of its own: a terminal's interrupt would reach it beside ours
        command = _command(processes, arguments)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
        assert process.stderr
        asked = threading.Event()

        def stop(*_: object) -> None:
            asked.set()
            _stop(process)

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
        _pass_on(process.stderr, report, asked)
        code = process.wait()
        end = time.monotonic() + PATIENCE
        while asked.is_set() and not report.exists() and time.monotonic() < end:
            time.sleep(0.1)  # the workers may still be saving
        if not report.exists():
            return code
        mistake = json.loads(report.read_text(encoding="utf-8"))
        print(mistake["sentence"], file=sys.stderr)
        return int(mistake["code"])


def _command(processes: int, arguments: list[str]) -> list[str]:
    """`--multi_gpu` also on CPU: with `--cpu` accelerate starts a single process without a word."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"]
    options = ["--num_processes", str(processes), "--main_process_port", free_port()]
    plain = ["--mixed_precision", "no", "--dynamo_backend", "no"]
    return [*launcher, *options, *plain, "-m", "smolrecipes", "run", *arguments]


def _stop(launcher: subprocess.Popen[bytes]) -> None:
    """Tells the workers, which save and end with 0, and so does the launcher: told itself, it may miss the signal, or end
    before it has passed it on."""
    import psutil  # type: ignore[import-untyped]

    told = 0
    with suppress(psutil.NoSuchProcess):  # one that has just ended need not be told
        for worker in psutil.Process(launcher.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "smolrecipes" in worker.cmdline():
                    worker.terminate()
                    told += 1
    if not told:
        launcher.terminate()


def _pass_on(stream: IO[bytes], report: Path, asked: threading.Event) -> None:
    """Once it was asked to stop, the launcher tells at length how it stops, which is nobody's business."""
    while chunk := os.read(stream.fileno(), 65536):
        if asked.is_set():
            chunk = HEARD if HEARD in chunk else b""
        if not report.exists():
            sys.stderr.buffer.write(chunk)
            sys.stderr.flush()
