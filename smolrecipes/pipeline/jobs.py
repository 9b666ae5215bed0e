"""Tasks as the jobs of other machines: what they carry with them, what lies only here, and how long they are in a queue."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smolrecipes.cache import kept_in, place
from smolrecipes.errors import RecipeError
from smolrecipes.pipeline.pool import Task
from smolrecipes.pipeline.reading import Read

if TYPE_CHECKING:
    from smolrecipes.component import Component

PAUSE = 5.0
"""Seconds between two looks at the jobs of a cluster."""
FAILURES = 3
"""As often in a row a queue may give no answer."""


class Job:
    """A task as datatrove calls a step: rank by rank, in the folder that it was given in and with the same kept data."""

    def __init__(self, task: Task) -> None:
        self.task, self.kept, self.here = task, place(), os.getcwd()

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:
        """Does the task of one rank, and hands on what it was given."""
        with _in_folder(self.here), kept_in(self.kept):
            self.task(rank)
        return data


def check(task: Task, executor: str) -> None:
    """RecipeError where a task takes what other machines lack: copies of what lies at a URL, or code of a recipe file."""
    step: Any = getattr(task, "step", None)
    parts: tuple[Component, ...] = task.parts if isinstance(task, Read) else (step,) * (step is not None)
    for one in (one for part in parts for one in _tree(part)):
        _check_files(one, executor)
        for what in (one, *(getattr(one, name) for name in one.options())):
            if (what is one or inspect.isfunction(what)) and _is_only_here(what):
                name = getattr(what, "__qualname__", type(what).__name__)
                raise RecipeError(
                    f"--on {executor}: {name} is of a recipe file, which other machines cannot import; put it into a "
                    "package that is installed on them, or leave --on out"
                )


def wait(left: Any, job: str) -> None:
    """Until no task is left of a cluster's job, or it has left the queue."""
    failures = 0
    while left():
        found, why = queued(job)
        if found is False:
            return
        failures = 0 if found else failures + 1
        if failures == FAILURES:
            raise RecipeError(
                f"squeue says nothing of job {job} ({why}), which may run on; the same command goes on from what it has done"
            )
        time.sleep(PAUSE)


def queued(job: str) -> tuple[bool | None, str]:
    """Whether a job is in Slurm's queue, which forgets finished ones; None where it does not answer, and why."""
    try:
        asked = subprocess.run(["squeue", "--noheader", "--jobs", job], capture_output=True, text=True, check=False)
    except OSError as error:
        return None, str(error)
    if asked.returncode and "invalid job id" not in asked.stderr.lower():
        return None, " ".join(asked.stderr.split())[:200] or f"it ends with {asked.returncode}"
    return not asked.returncode and bool(asked.stdout.strip()), ""


def _check_files(one: Component, executor: str) -> None:
    from smolrecipes.data.files import Files
    from smolrecipes.data.urls import is_copy

    if not isinstance(one, Files):
        return
    for path in (one.paths,) if isinstance(one.paths, str) else one.paths:
        if is_copy(path):
            raise RecipeError(
                f"--on {executor}: the source is at a URL and was copied to {path}, which other machines do not see; "
                "download it to a folder that they share, and name that"
            )


def _tree(part: Component) -> Iterator[Component]:
    yield part
    for _, child in part.children():
        yield from _tree(child)


def _is_only_here(what: Any) -> bool:
    """Whether no other process could import it; what a script itself defines is carried along."""
    module: str = what.__module__ if inspect.isfunction(what) else type(what).__module__
    package = module.partition(".")[0]
    return package != "__main__" and not any(finder.find_spec(package, None) for finder in sys.meta_path)


@contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    before = os.getcwd()
    if before == folder:
        yield
        return
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
