"""What is done to one shard: read from the source, surveyed, or taken through a step. Done once, whoever asks again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolrecipes.files import write_text
from smolrecipes.kinds import Data, Transform
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.report import Report, size


@dataclass(frozen=True)
class Read:
    """The rows of one part of a source, as shards of bounded size."""

    parts: tuple[Data, ...]
    folder: Path
    beside: tuple[Path, ...] = ()
    """The files of all parts, among which names are told apart."""

    def __call__(self, index: int) -> None:
        """Reads a part; `part-00000.json`, written last, lists its shards."""
        if self.told(index).exists():
            return
        from smolrecipes.data.paths import told_apart

        said: list[str] = []
        made: list[str] = []
        with told_apart(self.beside):
            for run in shards.bounded(self.parts[index].stream(said)):
                shard = self.folder / f"{index:05}-{len(made):05}.arrow"
                shards.write(shard, *_counted(run))
                made.append(shard.name)
        write_text(self.told(index), json.dumps({"shards": made, "said": said}, ensure_ascii=False))

    def told(self, index: int) -> Path:
        """Where it stands what a part was found to hold."""
        return self.folder / f"part-{index:05}.json"

    def found(self, index: int) -> dict[str, list[str]]:
        """The names of the `shards` of a part, and what was `said` of it."""
        told: dict[str, list[str]] = json.loads(self.told(index).read_text(encoding="utf-8"))
        return told

    def made(self) -> tuple[Path, ...]:
        """The shards of all parts, once they are read."""
        return tuple(self.folder / name for index in range(len(self.parts)) for name in self.found(index)["shards"])


@dataclass(frozen=True)
class Survey:
    """What a step has to know of each shard."""

    step: Transform
    sources: tuple[Path, ...]
    folder: Path

    def __call__(self, index: int) -> None:
        """Surveys a shard."""
        file = self.found(index)
        if not file.exists():
            shards.write_facts(file, self.step.survey(shards.rows(self.sources[index])))

    def found(self, index: int) -> Path:
        """Where what was found lies."""
        return self.folder / f"{index:05}.survey.npz"


@dataclass(frozen=True)
class Inspect:
    """What a step has to know of the rows of each shard that are in question."""

    step: Transform
    sources: tuple[Path, ...]
    folder: Path

    def __call__(self, index: int) -> None:
        """Inspects a shard."""
        file = self.found(index)
        if not file.exists():
            known = shards.read_facts(self.asked(index))
            shards.write_facts(file, self.step.inspect(shards.rows(self.sources[index]), known))

    def asked(self, index: int) -> Path:
        """Where it lies what is in question."""
        return self.folder / f"{index:05}.asked.npz"

    def found(self, index: int) -> Path:
        """Where what was found lies."""
        return self.folder / f"{index:05}.inspected.npz"


@dataclass(frozen=True)
class Apply:
    """A step, on each shard."""

    step: Transform
    sources: tuple[Path, ...]
    folder: Path
    knows: bool
    """Whether something was decided for each shard."""

    def __call__(self, index: int) -> None:
        """Takes the rows of a shard through the step."""
        shard = self.target(index)
        if shards.done(shard):
            return
        known = shards.read_facts(self.known(index)) if self.knows else {}
        report = Report()
        shards.write(shard, report.watch(shards.rows(self.sources[index]), self.step, known), report)

    def target(self, index: int) -> Path:
        """The shard that is made."""
        return self.folder / f"{index:05}.arrow"

    def known(self, index: int) -> Path:
        """Where what was decided for a shard lies."""
        return self.folder / f"{index:05}.known.npz"


def _counted(run: Any) -> tuple[Any, Report]:
    """The rows, and a report that knows them once they are read."""
    report = Report()

    def counted() -> Any:
        for row in run:
            report.rows_in += 1
            report.bytes_in += size(row)
            yield row
        report.rows_out, report.bytes_out = report.rows_in, report.bytes_in

    return counted(), report
