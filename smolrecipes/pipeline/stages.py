"""A pipeline, the straight line: read the source into shards, take them through one step after the other.

Each stage is a folder, named by the content of the source and the steps so far: it is made once, and what an interruption
left of it, or somebody removed, is gone on from, shard by shard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.console import is_first, say
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Transform
from smolrecipes.launch import cores
from smolrecipes.pipeline import keys, making, shards
from smolrecipes.pipeline.checks import check_asked, check_rows
from smolrecipes.pipeline.pool import Task, each
from smolrecipes.pipeline.reading import Read
from smolrecipes.pipeline.report import Report, merged
from smolrecipes.pipeline.tasks import Apply
from smolrecipes.pipeline.together import together

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.data.piped import Piped

Spread = Callable[[Task, int, str], None]
"""Does a task so many times; the text says what it is."""


@dataclass(frozen=True)
class Stage:
    """The rows after a step."""

    folder: Path
    step: str
    """What was done, as it is written in a recipe."""
    shards: tuple[Path, ...]
    report: Report
    said: tuple[str, ...]
    """How the source was read, and what each step did, a sentence each."""
    before: Stage | None = None

    def load(self) -> Dataset:
        """Its rows as one dataset, memory mapped."""
        return together(shards.kept(self.shards), self.said)

    @property
    def line(self) -> list[Stage]:
        """The stages up to this one, the reading first."""
        return [*(self.before.line if self.before else ()), self]


@contextmanager
def spread_by(spread: Spread) -> Iterator[None]:
    """Meanwhile tasks are done as `spread` does them: by a cluster, say (`clusters.on`)."""
    token = _spread.set(spread)
    try:
        yield
    finally:
        _spread.reset(token)


def prepared(data: Piped) -> Stage:
    """The rows of a pipeline after its last step, made now unless they are there. Of several processes the first makes them."""
    from smolrecipes.cache import place

    spread = _spread.get()
    for step in data.steps:
        step.check()
        check_asked(step)
    key = keys.of_source(data.origin)
    stage = _stage(place() / f"read-{key}", lambda folder: _read(data, folder, spread))
    for step in data.steps:
        key = keys.of_step(key, step)
        stage = _stage(place() / f"{step.name}-{key}", _through(step, stage, spread))
        if not stage.report.rows_out:
            raise RecipeError(f"{step.name}: it leaves none of {stage.report.rows_in:,} rows; {_why(stage.report)}")
    return stage


def on_cores(task: Task, count: int, what: str) -> None:
    """On this machine's cores, with a line about how far it is now and then."""
    began = told = time.monotonic()
    for done in each(task, count, cores()):
        now = time.monotonic()
        if now - told > 5 and done < count:
            left = (now - began) * (count - done) / done
            say(f"{what}: {done} of {count} shards, {time.strftime('%H:%M:%S', time.gmtime(left))} left")
            told = now


_spread: ContextVar[Spread] = ContextVar("_spread", default=on_cores)


def _stage(folder: Path, make: Callable[[Path], Stage]) -> Stage:
    """What lies in a folder, or is made there by the first process, for which the others wait."""
    while not is_first() and not making.finished(folder):  # the launcher ends this process if the first one fails
        time.sleep(0.2)
    return make(folder)


def _read(data: Piped, folder: Path, spread: Spread) -> Stage:
    task = Read.of(data.origin, folder)
    making.read(task, spread)
    made = task.made()
    said = dict.fromkeys(sentence for index in range(len(task.parts)) for sentence in task.found(index)["said"])
    return Stage(folder, repr(data.origin), made, merged(map(shards.report, made)), tuple(said))


def _through(step: Transform, before: Stage, spread: Spread) -> Callable[[Path], Stage]:
    def make(folder: Path) -> Stage:
        task = Apply(step, before.shards, folder, type(step).survey is not Transform.survey)
        made = tuple(map(task.target, range(len(before.shards))))
        check_rows(step, shards.kept(before.shards)[0])
        began = making.apply(task, made, spread)
        found = merged(map(shards.report, made))
        said = f"{step.name}: {_sentence(found)}"
        if began is not None:
            say(f"{said} ({found.bytes_in / 1e6 / max(began, 1e-3):.1f} MB/s)")
        return Stage(folder, repr(step), made, found, (*before.said, said), before)

    return make


def _sentence(report: Report) -> str:
    """`5,667 rows, 12 changed, 300 dropped`."""
    told = [f"{report.rows_out:,} of {report.rows_in:,} rows" if report.dropped else f"{report.rows_in:,} rows"]
    return ", ".join(told + [f"{report.changed:,} changed"] * bool(report.changed))


def _why(report: Report) -> str:
    reason, count = next(iter(report.reasons.items()), ("there was none", 0))
    return f"the most frequent reason: {reason} ({count:,})"
