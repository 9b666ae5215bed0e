"""Trainings in forked processes: each begins from the same memory, and none leaves anything behind."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smolrecipes.errors import RecipeError

POSSIBLE = sys.platform == "linux"
"""macOS and Windows cannot fork a process that computes."""


def forked(act: Callable[[], Any], folder: Path, world: int = 1) -> Any:
    """What `act` returns in a process of its own, or in several that train together, of which the first answers.

    RecipeError for what goes wrong there, a mistake in a sentence, anything else with its last line.
    """
    from smolrecipes.launch import free_port

    folder.mkdir(parents=True, exist_ok=True)
    port, files = free_port(), [folder / f"answer-{rank}" for rank in range(world)]
    children = [_start(act, file, rank, world, port) for rank, file in enumerate(files)]
    for child in children:
        os.waitpid(child, 0)
    if not all(file.exists() for file in files):
        raise RecipeError("a process of the proof died; its memory may not have been enough")
    answers = [pickle.loads(file.read_bytes()) for file in files]  # what this program wrote a moment ago
    wrong = [answer for answer in answers if isinstance(answer, RecipeError)]
    for answer in sorted(wrong, key=lambda error: "onnection" in str(error)):  # lost when the other rank had ended
        raise answer
    return answers[0]


def _start(act: Callable[[], Any], file: Path, rank: int, world: int, port: str) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    try:
        _alone(file, rank, world, port)
        answer: Any
        try:
            answer = act()
        except RecipeError as error:
            answer = RecipeError(str(error))
        except Exception:
            answer = RecipeError(f"it ended with {traceback.format_exc().strip().splitlines()[-1]}")
        partial = file.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(answer))
        partial.replace(file)
    finally:
        os._exit(0)


def _alone(file: Path, rank: int, world: int, port: str) -> None:
    """Its own rank and thread, and what it prints in a file."""
    import torch

    torch.set_num_threads(1)  # a fork has none of its parent's threads
    log = os.open(file.with_suffix(".log"), os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if world > 1:
        ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in (ranks | where).items()})
