"""Tasks on the cores of this machine: in this process where there is one, else in as many as pay."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from smolrecipes.errors import RecipeError
from smolrecipes.workers import METHOD, begin, importable, one_thread_each

Task = Callable[[int], None]
_task: Task


def each(task: Task, count: int, processes: int) -> Iterator[int]:
    """Does a task for each of 0 to `count`; yields how many are done, as they are done."""
    if count < 2 or processes < 2 or (METHOD == "spawn" and not all(map(importable, vars(task).values()))):
        for index in range(count):
            task(index)
            yield index + 1
    else:
        yield from _shared_out(task, count, processes)


def _shared_out(task: Task, count: int, processes: int) -> Iterator[int]:
    with one_thread_each():
        context = multiprocessing.get_context(METHOD)
        pool = ProcessPoolExecutor(min(processes, count), context, _begin, (task,))
        try:
            waiting = [pool.submit(_do, index) for index in range(count)]
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                yield done
        except BrokenProcessPool:
            raise RecipeError(
                "a process that prepared data died, perhaps for want of memory; what is done is kept, and the same command "
                "goes on from there: fewer processes need less"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(task: Task) -> None:
    global _task
    _task = task
    begin()


def _do(index: int) -> None:
    """A task of one's own, in a process; what it raises comes back as a sentence, since not every error can."""
    try:
        _task(index)
    except RecipeError:
        raise
    except Exception as error:  # of a step of one's own, say
        said = " ".join(f"{type(error).__name__}: {error}".split())
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise RecipeError(
            f"{said} (line {last.lineno} of {last.filename}); mend that, and the same command goes on"
        ) from error
