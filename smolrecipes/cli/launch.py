"""Several processes through `accelerate launch`, keeping our exit code and our sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from smolrecipes.cli import REPORT
from smolrecipes.launch import free_port


def launch(processes: int, arguments: list[str]) -> int:
    """Runs `smolrecipes run` with these arguments in so many processes; returns our exit code.

    What the launcher writes to stderr after one of ours reported a mistake is its own traceback, and is dropped.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = {**os.environ, REPORT: str(report), "SMOLRECIPES_PROCESSES": str(processes)}
        process = subprocess.Popen(_command(processes, arguments), env=environment, stderr=subprocess.PIPE)
        assert process.stderr
        for number in (signal.SIGINT, signal.SIGTERM):  # the launcher hands it to the workers, which save
            signal.signal(number, lambda *_: process.terminate())
        _pass_on(process.stderr, report)
        code = process.wait()
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


def _pass_on(stream: IO[bytes], report: Path) -> None:
    while chunk := os.read(stream.fileno(), 65536):
        if not report.exists():
            sys.stderr.buffer.write(chunk)
            sys.stderr.flush()
