"""A tiny run in a process of its own, which may die at any instant, for the tests of checkpoints."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from smolrecipes import CLM, ByteBPE, Llama, Recipe, Toy, Training, run

RECIPE = Recipe(
    tokenizer=ByteBPE(vocab_size=280),
    model=Llama(layers=1, hidden=32, heads=2),
    data=Toy("stories", rows=24),
    objective=CLM(),
    training=Training(
        steps=8, global_batch_size=4, max_length=32, learning_rate=1e-2, final_rate=0.1, log_every=1, save_every=2, device="cpu",
        rehearse=False, threads=1,
    ),
    validation=4,
    title="tiny",
)  # fmt: skip


def child(act: Callable[[], object], seconds: float | None = None) -> int:
    """Runs `act` in a fork, killed after so many seconds; its exit code, or minus the signal that ended it."""
    process = os.fork()
    if not process:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            torch.set_num_threads(1)  # a fork has none of its parent's threads
            act()
            code = 0
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def trained(runs: Path) -> Any:
    """The run, gone on with or begun."""
    return run(RECIPE, runs=runs)


def weights(runs: Path) -> str:
    """What the finished weights are, to the bit."""
    (file,) = runs.glob("tiny-*/model/model.safetensors")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def dying(runs: Path, at: int) -> Callable[[], object]:
    """The run, which kills itself in a save: at the `at`-th time that something is flushed, renamed or removed."""
    left = [at]

    def counted(function: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return called

    def act() -> None:
        os.fsync = counted(os.fsync)
        os.rename = counted(os.rename)
        shutil.rmtree = counted(shutil.rmtree)
        trained(runs)

    return act


def checkpoints(runs: Path) -> Path:
    """Where the run's checkpoints lie."""
    (found,) = runs.glob("tiny-*/checkpoints")
    return found


def undisturbed(folder: Path) -> Path:
    """The folder, with a run in it that nobody disturbed."""
    assert child(lambda: trained(folder)) == 0
    return folder


def unfinished(whole: Path, folder: Path) -> Path:
    """A copy of the finished run as it was after its last checkpoint."""
    shutil.copytree(whole, folder, symlinks=True)
    (made,) = folder.glob("tiny-*")
    (made / "results.json").unlink()
    shutil.rmtree(made / "model")
    return folder


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "emptied": lambda file: file.write_bytes(b""),
    "gone": lambda file: file.unlink(),
    "flipped": lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]),
}
"""Four ways to damage a file."""
