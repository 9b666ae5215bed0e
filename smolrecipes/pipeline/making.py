"""How a stage is made: by one process at a time, each of its shards once, and without what was only on the way to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.console import say
from smolrecipes.errors import RecipeError
from smolrecipes.files import clear, write_text
from smolrecipes.kinds import Transform
from smolrecipes.pipeline.alike import alike
from smolrecipes.pipeline.facts import read_facts, write_facts
from smolrecipes.pipeline.reading import Read
from smolrecipes.pipeline.shards import done
from smolrecipes.pipeline.tasks import Apply, Inspect, Survey
from smolrecipes.pipeline.writing import writing

if TYPE_CHECKING:
    from smolrecipes.pipeline.stages import Spread


def once(folder: Path, there: Callable[[], bool], work: Callable[[], None]) -> float | None:
    """Has a stage made unless it is whole and `there`; returns the seconds that it took, None where it was."""
    if finished(folder) and there():
        return None
    began = time.monotonic()
    with _locked(folder):
        if finished(folder) and there():  # another process has made it meanwhile
            return None
        clear(folder)
        # Nobody takes a shard that is made again before it is like the others.
        (folder / "stage.json").unlink(missing_ok=True)
        work()
        for passing in folder.glob("*.npz"):
            passing.unlink(missing_ok=True)
        with writing(folder):
            write_text(folder / "stage.json", "{}")
    return time.monotonic() - began


def finished(folder: Path) -> bool:
    """Whether a stage was made to its end."""
    return (folder / "stage.json").exists()


def read(task: Read, spread: Spread) -> float | None:
    """Has a source read."""

    def work() -> None:
        _goes_on("reading", [task.done(index) for index in range(len(task.parts))])
        spread(task, len(task.parts), "reading")
        if not task.made():
            said = "; ".join(sentence for index in range(len(task.parts)) for sentence in task.found(index)["said"])
            raise RecipeError(f"the source holds no row: {said}")
        alike(task.folder, task.made(), spelt=task.spelt)

    return once(task.folder, lambda: all(map(task.done, range(len(task.parts)))), work)


def apply(task: Apply, made: Sequence[Path], spread: Spread) -> float | None:
    """Has a step done on each shard, where it asks for that after a look at all of them."""

    def there() -> bool:
        return all(map(done, made))

    def work() -> None:
        if task.knows and not there():
            _decide(task, spread)
        _goes_on(task.step.name, [*map(done, made)])
        spread(task, len(made), task.step.name)
        alike(task.folder, made, spelt=False)

    return once(task.folder, there, work)


def _goes_on(what: str, there: list[bool]) -> None:
    """Says how much of a stage was made before it was interrupted."""
    if 0 < sum(there) < len(there):
        say(f"{what}: {sum(there):,} of {len(there):,} shards are there from before; the others are made")


def _decide(task: Apply, spread: Spread) -> None:
    """Surveys all shards, and decides for each."""
    step, count = task.step, len(task.sources)
    survey = Survey(step, task.sources, task.folder)
    spread(survey, count, f"{step.name}, looking")
    found = [read_facts(survey.found(index)) for index in range(count)]
    if type(step).inspect is not Transform.inspect:
        closer = Inspect(step, task.sources, task.folder)
        for index, asked in enumerate(step.narrow(found)):
            write_facts(closer.asked(index), asked)
        spread(closer, count, f"{step.name}, looking closer")
        found = [read_facts(closer.found(index)) for index in range(count)]
    for index, known in enumerate(step.decide(found)):
        write_facts(task.known(index), known)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            say(f"{folder.name}: another process is making it; this one waits")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
