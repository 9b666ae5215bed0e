"""What a step does to one shard: it is surveyed, and taken through. Done once, whoever asks again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smolrecipes.kinds import Transform
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.facts import read_facts, write_facts
from smolrecipes.pipeline.report import Report


@dataclass(frozen=True)
class Step:
    """A step, the shards that it is done to, and the folder of what it makes."""

    step: Transform
    sources: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True)
class Survey(Step):
    """What a step has to know of each shard."""

    def __call__(self, index: int) -> None:
        """Surveys a shard."""
        file = self.found(index)
        if not file.exists():
            write_facts(file, self.step.survey(shards.rows(self.sources[index])))

    def found(self, index: int) -> Path:
        """Where what was found lies."""
        return self.folder / f"{index:05}.survey.npz"


@dataclass(frozen=True)
class Inspect(Step):
    """What a step has to know of the rows of each shard that are in question."""

    def __call__(self, index: int) -> None:
        """Inspects a shard."""
        file = self.found(index)
        if not file.exists():
            known = read_facts(self.asked(index))
            write_facts(file, self.step.inspect(shards.rows(self.sources[index]), known))

    def asked(self, index: int) -> Path:
        """Where it lies what is in question."""
        return self.folder / f"{index:05}.asked.npz"

    def found(self, index: int) -> Path:
        """Where what was found lies."""
        return self.folder / f"{index:05}.inspected.npz"


@dataclass(frozen=True)
class Apply(Step):
    """A step, on each shard."""

    knows: bool
    """Whether something was decided for each shard."""

    def __call__(self, index: int) -> None:
        """Takes the rows of a shard through the step."""
        shard = self.target(index)
        if shards.done(shard):
            return
        known = read_facts(self.known(index)) if self.knows else {}
        report = Report()
        shards.write(shard, report.watch(shards.rows(self.sources[index]), self.step, known), report)

    def target(self, index: int) -> Path:
        """The shard that is made."""
        return self.folder / f"{index:05}.arrow"

    def known(self, index: int) -> Path:
        """Where what was decided for a shard lies."""
        return self.folder / f"{index:05}.known.npz"
