"""`smolrecipes serve` as a process of its own for a test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


class Server:
    """The process, where it answers, and the name of its model."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process, self.told = process, [process.stdout.readline()]
        found = re.match(r"(\S+) answers at (http://\S+)/v1; Ctrl-C stops it", self.told[0])
        assert found, self.told[0] + process.communicate()[0]
        self.name, self.url = found[1], found[2]

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code, and all that it said after where it is."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=60)
        return self.process.returncode, said


@contextmanager
def serving(place: Path, *words: str, **more: str) -> Iterator[Server]:
    """`smolrecipes serve` on a port that is free."""
    paths = [str(CHECKOUT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "smolrecipes", "serve", str(place), "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    try:
        yield Server(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
