"""The data card: what prepared rows are, where they are from, and what became of them in each step."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from smolrecipes.cards.code import code
from smolrecipes.cards.shown import masked, shown
from smolrecipes.profile.lengths import Lengths, lengths, spread
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset

    from smolrecipes.component import Component
    from smolrecipes.data.piped import Piped
    from smolrecipes.kinds import Data
    from smolrecipes.pipeline.stages import Stage

PACKAGES = ("smolrecipes", "datasets", "pyarrow", "ftfy", "py3langid", "trafilatura", "datatrove")
"""Whose versions the rows may depend on."""
STEPS = ("step", "rows in", "kept", "changed", "dropped", "MB in", "CPU s", "MB/s")
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""A head and its rows."""


@dataclass(frozen=True)
class Pipeline:
    """A source and the steps over it."""

    stages: tuple[Stage, ...]
    before: Lengths
    after: Lengths

    @property
    def key(self) -> str:
        """What tells it from every other source and every other steps."""
        return self.stages[-1].folder.name.rpartition("-")[2]

    def steps(self) -> Table:
        """What became of the rows, a step a line. Seconds are those of the one pass over the rows, on one core."""
        return STEPS, [_line(stage) for stage in self.stages]


@dataclass(frozen=True)
class Card:
    """What there is to say of rows."""

    title: str
    code: str
    """What makes them, in Python."""
    said: tuple[str, ...]
    """How they were read, and what was done, a sentence each."""
    kind: str
    columns: tuple[str, ...]
    splits: dict[str, int]
    """How many rows each has."""
    lengths: Lengths
    languages: dict[str, int] | None
    """Of how many rows; None where nobody looked."""
    pipelines: tuple[Pipeline, ...]
    fingerprint: str
    made: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))

    @property
    def rows(self) -> int:
        """Of all splits."""
        return sum(self.splits.values())

    def sentence(self) -> str:
        """What it is."""
        done = [stage.report for pipeline in self.pipelines for stage in pipeline.stages[1:]]
        what = f"{self.rows:,} rows of the type {self.kind}"
        if not done:
            return f"{what}, read with smolrecipes {version('smolrecipes')}."
        changed, dropped = sum(one.changed for one in done), sum(one.dropped for one in done)
        steps = f"{len(done)} step{'s' * (len(done) != 1)}"
        lost = "1 row was" if dropped == 1 else f"{dropped:,} rows were"
        mended = f"{changed:,} change{'s' * (changed != 1)}"
        return (
            f"{what}, prepared in {steps} with smolrecipes {version('smolrecipes')}: {lost} dropped on the way, "
            f"{mended} made."
        )

    def measured(self) -> dict[str, Lengths]:
        """Lengths by what they are of: before and after the steps of each pipeline, and of all rows where they are others."""
        found: dict[str, Lengths] = {}
        for number, one in enumerate(self.pipelines, 1):
            which = f" {number}" if len(self.pipelines) > 1 else ""
            found |= {f"before the steps{which}": one.before, f"after the steps{which}": one.after}
        last = [*found.values()][-1:]
        return found if last and last[0].table() == self.lengths.table() else {**found, "all rows": self.lengths}

    def versions(self) -> str:
        """Of what made it."""
        return ", ".join([*(f"{name} {found}" for name, found in _versions()), f"Python {platform.python_version()}"])


def card(sources: Sequence[Data], splits: Mapping[str, Dataset], title: str, said: Sequence[str]) -> Card:
    """The card of rows that were made of these sources, by split; `said` is what was said of them."""
    from smolrecipes.data.rows import row_type

    found = tuple(one for data in sources for one in pipelines(data))
    private = bool(masked(found))
    rows = {name: some for name, some in splits.items() if len(some)}
    first = next(iter(rows.values()))
    return Card(
        title=hidden(title),
        code="\n\n".join(map(code, sources, ("data", "validation"))),
        said=tuple(_public(line, private) for sentence in said for line in sentence.splitlines()),
        kind=row_type(first),
        columns=tuple(first.column_names),
        splits={name: len(some) for name, some in rows.items()},
        lengths=_together(rows),
        languages=_languages(rows),
        pipelines=shown(found),
        fingerprint="-".join(data.fingerprint() for data in sources),
    )


def _public(sentence: str, private: bool) -> str:
    """Without credentials and, of rows that are masked, without a broken row's text."""
    told = sentence.partition("; the first: ")[0] if private else sentence
    return hidden(told.removeprefix("data: "))


def pipelines(data: Data) -> Iterator[Pipeline]:
    """Every pipeline in some data, those inside others first."""
    for line in lines(data):
        yield Pipeline(tuple(line), lengths(line[0].load()), lengths(line[-1].load()))


def lines(data: Data) -> Iterator[list[Stage]]:
    """The stages of every pipeline in some data, those inside others first."""
    from smolrecipes.data.paths import told_apart
    from smolrecipes.pipeline.stages import prepared

    for piped, beside in dict(_piped(data)).items():
        with told_apart(beside):  # as they were when the rows were made
            line = prepared(piped).line
        yield line


def has_steps(data: Data) -> bool:
    """Whether any of its rows go through steps."""
    return next(_piped(data), None) is not None


def _piped(part: Component, beside: tuple[Path, ...] = ()) -> Iterator[tuple[Piped, tuple[Path, ...]]]:
    """The pipelines inside a component, each with the files that a mixture reads beside its own; what a step compares
    the rows with is not among the rows."""
    from smolrecipes.data.files import files_in
    from smolrecipes.data.mix import Mix
    from smolrecipes.data.piped import Piped
    from smolrecipes.kinds import Transform

    inside = (*beside, *files_in(part)) if isinstance(part, Mix) else beside
    for _, child in part.children():
        if not isinstance(child, Transform):
            yield from _piped(child, inside)
    if isinstance(part, Piped):
        yield part, beside


def _line(stage: Stage) -> tuple[str, ...]:
    report, megabytes = stage.report, stage.report.bytes_in / 1e6
    speed = f"{megabytes / report.seconds:.1f}" if report.seconds > 0.05 else ""
    counts = (report.rows_in, report.rows_out, report.changed, report.dropped)
    name = hidden(stage.step) if stage.before else "read"
    return (name, *(f"{count:,}" for count in counts), f"{megabytes:.2f}", f"{report.seconds:.1f}", speed)


def _together(rows: Mapping[str, Dataset]) -> Lengths:
    found = Lengths()
    for one in map(lengths, rows.values()):
        found.characters.extend(one.characters)
        found.words.extend(one.words)
        found.bytes, found.of = found.bytes + one.bytes, found.of + one.of
    return found


def _languages(rows: Mapping[str, Dataset]) -> dict[str, int] | None:
    from smolrecipes.data.rows import each, texts
    from smolrecipes.profile.languages import SAMPLE, installed, languages, spoken

    if not installed():
        return None
    first = next(iter(rows.values()))
    return languages(spoken(texts(row)) for row in each(spread(first, SAMPLE)))


def _versions() -> Iterator[tuple[str, Any]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
