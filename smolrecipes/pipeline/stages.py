"""A pipeline, the straight line: read the source into shards, take them through one step after the other.

Each stage is a folder, named by the content of the source and the steps so far: it is made once, and what an interruption
left of it is gone on from, shard by shard.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.console import is_first, say
from smolrecipes.data.rows import row_type
from smolrecipes.errors import RecipeError
from smolrecipes.files import write_text
from smolrecipes.kinds import Data, Transform
from smolrecipes.launch import cores
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.alike import alike
from smolrecipes.pipeline.pool import Task, each
from smolrecipes.pipeline.report import Report, merged
from smolrecipes.pipeline.tasks import Apply, Inspect, Read, Survey
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
        return together([shard for shard in self.shards if shard.exists()], self.said)

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
    key = _hash(data.origin.identity(), _code("data"))
    stage = _stage(place() / f"read-{key}", lambda folder: _read(data, folder, spread))
    for step in data.steps:
        key = _hash(key, step.identity(), _made_of(step))
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
    while not is_first() and not _whole(folder):  # the launcher ends this process if the first one fails
        time.sleep(0.2)
    return make(folder)


def _read(data: Piped, folder: Path, spread: Spread) -> Stage:
    from smolrecipes.data.files import files_in

    parts = tuple(data.origin.parts())
    task = Read(parts, folder, tuple(files_in(data.origin)))

    def work() -> None:
        spread(task, len(parts), "reading")
        _check_any(task)
        alike(folder, task.made(), spelt=_spells(data.origin))

    _make(folder, work)
    made = task.made()
    said = dict.fromkeys(sentence for index in range(len(parts)) for sentence in task.found(index)["said"])
    return Stage(folder, repr(data.origin), made, merged(map(shards.report, made)), tuple(said))


def _check_any(task: Read) -> None:
    """RecipeError where there is no row."""
    if not task.made():
        said = "; ".join(sentence for index in range(len(task.parts)) for sentence in task.found(index)["said"])
        raise RecipeError(f"the source holds no row: {said}")


def _spells(origin: Data) -> bool:
    """Whether a source gives rows as files spell them, not those of a dataset, whose labels are of one type already."""
    from smolrecipes.data.piped import Piped

    return type(origin).stream not in (Data.stream, Piped.stream)


def _through(step: Transform, before: Stage, spread: Spread) -> Callable[[Path], Stage]:
    def make(folder: Path) -> Stage:
        surveys = type(step).survey is not Transform.survey
        task = Apply(step, before.shards, folder, surveys)
        made = tuple(map(task.target, range(len(before.shards))))

        def work() -> None:
            _check_rows(step, before)
            if surveys and not all(map(shards.done, made)):
                _decide(step, before, task, spread)
            spread(task, len(made), step.name)
            alike(folder, made, spelt=False)

        began = _make(folder, work)
        found = merged(map(shards.report, made))
        said = f"{step.name}: {_sentence(found)}"
        if began is not None:
            say(f"{said} ({found.bytes_in / 1e6 / max(began, 1e-3):.1f} MB/s)")
        return Stage(folder, repr(step), made, found, (*before.said, said), before)

    return make


def _check_rows(step: Transform, before: Stage) -> None:
    """RecipeError where a step reads no rows of the type that there are."""
    kind = row_type(next(shards.read(shard) for shard in before.shards if shard.exists()))
    if step.rows and kind not in step.rows:
        raise RecipeError(
            f"{step.name} reads {' or '.join(step.rows)} rows, and these are {kind} rows; leave the step out"
        )


def _decide(step: Transform, before: Stage, task: Apply, spread: Spread) -> None:
    """Surveys all shards, and decides for each."""
    survey = Survey(step, before.shards, task.folder)
    spread(survey, len(before.shards), f"{step.name}, looking")
    found = [shards.read_facts(survey.found(index)) for index in range(len(before.shards))]
    if type(step).inspect is not Transform.inspect:
        closer = Inspect(step, before.shards, task.folder)
        for index, asked in enumerate(step.narrow(found)):
            shards.write_facts(closer.asked(index), asked)
        spread(closer, len(before.shards), f"{step.name}, looking closer")
        found = [shards.read_facts(closer.found(index)) for index in range(len(before.shards))]
    for index, known in enumerate(step.decide(found)):
        shards.write_facts(task.known(index), known)


def _make(folder: Path, work: Callable[[], None]) -> float | None:
    """Has a stage made, by one process at a time; returns the seconds that it took, None where it was there."""
    from filelock import FileLock

    if _whole(folder):
        return None
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if _whole(folder):  # another process has made it meanwhile
                return None
            for left in folder.glob("*.partial"):
                left.unlink()
            work()
            write_text(folder / "stage.json", "{}")
    except OSError as error:
        raise RecipeError(
            f"{folder}: cannot be written ({error.strerror or error}); what is done is kept, and the same command goes on"
        ) from None
    return time.monotonic() - began


def _whole(folder: Path) -> bool:
    return (folder / "stage.json").exists()


def _sentence(report: Report) -> str:
    """`5,667 rows, 12 changed, 300 dropped`."""
    told = [f"{report.rows_out:,} of {report.rows_in:,} rows" if report.dropped else f"{report.rows_in:,} rows"]
    return ", ".join(told + [f"{report.changed:,} changed"] * bool(report.changed))


def _why(report: Report) -> str:
    reason, count = next(iter(report.reasons.items()), ("there was none", 0))
    return f"the most frequent reason: {reason} ({count:,})"


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:16]


@lru_cache
def _code(package: str) -> str:
    """The hash of a package's code."""
    folder = Path(__file__).parent.parent / package
    return _hash(*(file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.py"))))


def _made_of(step: Transform) -> list[str]:
    """Hashes of the code that a step runs, and the versions of the packages that it needs."""
    own = type(step).__module__.partition(".")[0] == "smolrecipes"
    code = [_code(package) for package in ("pipeline", "near", "transforms")] + ([] if own else [_module(type(step))])
    return [*code, *(f"{package} {version(package)}" for package in step.packages)]


def _module(step: type[Transform]) -> str:
    """The hash of the file that a step is written in."""
    import inspect

    try:
        return _hash(Path(inspect.getfile(step)).read_text(encoding="utf-8"))
    except (OSError, TypeError):  # defined interactively: its identity says what is known of it
        return ""
