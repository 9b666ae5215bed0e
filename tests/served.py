"""A server of its own for a test: a small model that knows nothing, and `smolrecipes serve` as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
LENGTH = 512


def model(run: Path, decoding: dict[str, Any] | None = None, **more: Any) -> Path:
    """A run's folder with a Llama of random weights that chats, and as much of a recipe as serving reads."""
    import torch

    from smolrecipes import ByteBPE, Decoding, Llama, Toy

    torch.manual_seed(0)
    rows = Toy("chat", rows=200).load()
    tokenizer = ByteBPE(**{"vocab_size": 500, "chat_template": "chatml", **more}).build(rows)
    built = Llama(hidden=32, layers=2, heads=2, max_length=LENGTH).build(tokenizer)
    built.save_pretrained(run / "model")
    tokenizer.save_pretrained(run / "model")
    told = {
        "title": run.name,
        "decoding": Decoding(**(decoding or {})).changed(),
        "objective": {"use": "objective:sft"},
    }
    (run / "recipe.json").write_text(json.dumps(told), encoding="utf-8")
    return run


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
