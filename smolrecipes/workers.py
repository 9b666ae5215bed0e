"""Rows into tables of examples, in order, on all the cores where there are enough rows to pay for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Objective

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    _Work = tuple[Dataset, Objective, PreTrainedTokenizerBase, int]

BATCH = 1_000
"""Rows that are prepared together."""
METHOD = "fork" if sys.platform == "linux" else "spawn"
"""How a worker process is started: macOS and Windows cannot fork a process that computes."""
WORTH = {"fork": 500, "spawn": 20_000}
"""Rows from which on more processes pay: a forked one starts in milliseconds, another imports everything anew."""
_work: _Work
"""What a worker works on."""


def tables(
    rows: Dataset, objective: Objective, tokenizer: PreTrainedTokenizerBase, max_length: int, processes: int
) -> Iterator[pa.Table]:
    """The examples of the rows, in their order: a table for each batch in which any is left."""
    work: _Work = (rows, objective, tokenizer, max_length)
    alone = processes == 1 or len(rows) < WORTH[METHOD] or batched(objective)
    if alone or (METHOD == "spawn" and not all(map(importable, (objective, tokenizer)))):
        made = _in_turn(work)
    else:
        made = _shared_out(work, processes)
    yield from (table for table in made if table is not None)


def _in_turn(work: _Work) -> Iterator[pa.Table | None]:
    """One batch after the other; each becomes a table while the next is prepared, which may take all cores."""
    with ThreadPoolExecutor(1) as pool:
        starts = range(0, len(work[0]), BATCH)
        made = [pool.submit(_as_table, *_prepared(*work, start, BATCH)) for start in starts]
        yield from (one.result() for one in made)


def place(objective: Objective, name: str) -> int:
    """How far up its ancestry an objective's attribute is written: 0 is its own class."""
    return next(up for up, parent in enumerate(type(objective).__mro__) if name in vars(parent))


def batched(objective: Objective) -> bool:
    """Whether it has a `prepare_many` of its own that knows its `prepare`: written with it, or after it."""
    own = type(objective).prepare_many is not Objective.prepare_many
    return own and place(objective, "prepare_many") <= place(objective, "prepare")


def examples(
    objective: Objective, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[dict[str, Any] | None]:
    """What training makes of the rows: many at a time only by a `prepare_many` that knows the objective's `prepare`."""
    many = type(objective).prepare_many if batched(objective) else Objective.prepare_many
    return many(objective, rows, tokenizer, max_length)


def _prepared(
    rows: Dataset, objective: Objective, tokenizer: PreTrainedTokenizerBase, max_length: int, start: int, size: int
) -> tuple[dict[str, list[Any]], list[dict[str, Any] | None]]:
    """Some rows by their columns, and what becomes of each."""
    columns = rows[start : start + size]
    some = [dict(zip(columns, values)) for values in zip(*columns.values())]
    return columns, examples(objective, some, tokenizer, max_length)


def _as_table(columns: dict[str, list[Any]], made: list[dict[str, Any] | None]) -> pa.Table | None:
    """The examples that are left, with where they come from."""
    import pyarrow as pa

    kept = [example for example in made if example is not None]
    if not kept:
        return None
    whence: dict[str, list[Any]] = {
        name: [value for value, example in zip(columns[name], made, strict=True) if example is not None]
        for name in ("origin", "stage")
        if name in columns
    }
    return pa.table({**{name: _column([e[name] for e in kept]) for name in kept[0]}, **whence})


def _column(values: list[Any]) -> pa.Array:
    """Lists of numbers straight from their arrays, where they are arrays; whatever else as Arrow reads it."""
    import numpy as np
    import pyarrow as pa

    if not isinstance(values[0], np.ndarray):
        return pa.array(values)
    ends = np.cumsum([0, *map(len, values)], dtype=np.int64)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(np.concatenate(values)))


def _shared_out(work: _Work, processes: int) -> Iterator[pa.Table | None]:
    size = max(100, min(BATCH, len(work[0]) // (8 * processes)))
    with one_thread_each():
        context = multiprocessing.get_context(METHOD)
        pool = ProcessPoolExecutor(processes, context, _begin, work)
        try:
            starts = range(0, len(work[0]), size)
            yield from pool.map(_part, starts, [size] * len(starts))
        except BrokenProcessPool:
            raise RecipeError(
                "a process that prepared rows died: the memory was full, or, on Windows and macOS, the script does not "
                'run the recipe under `if __name__ == "__main__":`; training.threads=1 prepares in one process'
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """The worker processes are the parallelism; `tokenizers` would warn that it keeps to one thread in them."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _begin(*work: Any) -> None:
    global _work
    _work = work
    begin()


def begin() -> None:
    """In a worker: an interrupt is its parent's to handle, and it ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _part(start: int, size: int) -> pa.Table | None:
    return _as_table(*_prepared(*_work, start, size))


def importable(part: object) -> bool:
    """Whether another process can import its class: not when it comes from a recipe file, or lies beside one."""
    package = type(part).__module__.partition(".")[0]
    return package != "__main__" and any(finder.find_spec(package, None) for finder in sys.meta_path)
