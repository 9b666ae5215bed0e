"""Tasks on many machines, through datatrove's executors: the same pipeline beyond what one machine can do.

The folder that keeps prepared data (`runs/.cache`) has to be one that all machines see, and so have the files of the source.
A source at a URL, of which only this machine has the copy, and a step of a recipe file, which others cannot import, are
refused. What is done already is not done again, whichever executor began it.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.console import say
from smolrecipes.errors import RecipeError, nearest, needs
from smolrecipes.pipeline.jobs import Job, check, wait
from smolrecipes.pipeline.pool import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolrecipes.pipeline.stages import Spread

EXECUTORS = {"local": "LocalPipelineExecutor", "ray": "RayPipelineExecutor", "slurm": "SlurmPipelineExecutor"}
OURS = ("pipeline", "tasks", "logging_dir", "skip_completed", "depends", "depends_job_id", "job_name", "start_method")
"""What an executor is told by us."""


def named(text: str, logs: Path) -> Spread:
    """As on the command line: `slurm:partition=cpu,time=04:00:00,workers=100`."""
    executor, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for word in filter(None, rest.split(",")):
        name, found, value = word.partition("=")
        if not found:
            raise RecipeError(f"--on {text}: '{word}' should be OPTION=VALUE, as in slurm:partition=cpu,time=04:00:00")
        options[name] = int(value) if value.lstrip("-").isdigit() else value
    return on(executor, logs, **options)


def on(executor: str, logs: Path, **options: Any) -> Spread:
    """Spreads tasks by an executor of datatrove (`local`, `ray`, `slurm`) with that executor's own options.

    logs: a folder for what the executors say. RecipeError for an executor, or an option, that there is not.
    """
    made = _checked(executor, options)

    def spread(task: Task, count: int, what: str) -> None:
        if executor != "local":
            check(task, executor)
        folder = logs.absolute() / f"{time.strftime('%Y%m%d-%H%M%S')}-{what.replace(', ', '-')}-{os.getpid()}"
        say(f"{what}: {count} tasks by datatrove ({executor}), which writes to {folder}")
        own = {"start_method": "fork"} if executor == "local" and sys.platform == "linux" else {}
        own |= {"job_name": what.replace(", ", "-")} if executor == "slurm" else {}
        job = _run(lambda: made(pipeline=[Job(task)], tasks=count, logging_dir=str(folder), **own, **options), folder)
        if executor == "slurm":
            wait(lambda: _left(job), str(job.job_id))
        if left := len(_left(job)):
            raise RecipeError(
                f"{what}: {left} of {count} tasks did not end well, {folder} says why; what is done is kept, and the same "
                "command goes on from there"
            )

    return spread


def _checked(executor: str, options: dict[str, Any]) -> Any:
    """The class of an executor that can be had, and has these options."""
    needs("datatrove", "an executor")
    if executor not in EXECUTORS:
        raise RecipeError(f"there is no executor {executor!r}{nearest(executor, EXECUTORS) or _among(EXECUTORS)}")
    if executor == "ray":
        needs("ray", "the executor ray", "ray")
    made = _executor(executor)
    known = [name for name in inspect.signature(made).parameters if name not in OURS]
    for name in options:
        if name not in known:
            raise RecipeError(f"the executor {executor} has no option {name!r}{nearest(name, known) or _among(known)}")
    if missing := {"time", "partition"} - options.keys() if executor == "slurm" else ():
        raise RecipeError(
            f"the executor slurm needs {' and '.join(sorted(missing))}, as in slurm:partition=cpu,time=04:00:00"
        )
    return made


def _executor(name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(f"datatrove.executor.{name}"), EXECUTORS[name])


def _run(make: Callable[[], Any], folder: Path) -> Any:
    """Makes a job and runs it; all that its loggers say goes into a file beside those of its tasks."""
    from loguru import logger

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "executor.log").open("w", encoding="utf-8") as log, redirect_stderr(log):
        logger.remove()
        logger.add(log)
        try:
            job = make()
            with _mortal():
                job.run()
        except RecipeError:
            raise
        except Exception as error:  # of whatever a cluster's libraries raise
            logger.exception(error)
            raise RecipeError(
                f"{type(error).__name__}: {str(error)[:200]}; more in {folder / 'executor.log'}"
            ) from None
        finally:
            logger.remove()
    return job


def _left(job: Any) -> list[int]:
    found: list[int] = job.get_incomplete_ranks(skip_completed=True)
    return found


@contextmanager
def _mortal() -> Iterator[None]:
    """Meanwhile SIGTERM ends a process: those of a pool that are forked with a handler for it outlive the pool, which waits."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _among(names: Any) -> str:
    return f"; it can be {', '.join(names)}"
