"""What reads one part of a source. Done once, whoever asks again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolrecipes.files import write_text
from smolrecipes.kinds import Data
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.report import Report, size
from smolrecipes.pipeline.writing import writing


@dataclass(frozen=True)
class Read:
    """The rows of one part of a source, as shards of bounded size."""

    parts: tuple[Data, ...]
    folder: Path
    beside: tuple[Path, ...] = ()
    """The files of all parts and of what else is read with them, among which names are told apart."""
    spelt: bool = False
    """Whether labels come as files spell them, not as those of a dataset, which are of one type already."""

    @classmethod
    def of(cls, origin: Data, folder: Path) -> Read:
        """What reads a source."""
        from smolrecipes.data.files import files_in
        from smolrecipes.data.paths import beside
        from smolrecipes.data.piped import Piped

        spelt = type(origin).stream not in (Data.stream, Piped.stream)
        return cls(tuple(origin.parts()), folder, (*beside(), *files_in(origin)), spelt)

    def __call__(self, index: int) -> None:
        """Reads a part; `part-00000.json`, written last, lists its shards."""
        if self.done(index):
            return
        from smolrecipes.data.paths import told_apart

        said: list[str] = []
        made: list[str] = []
        with told_apart(self.beside):
            for run in shards.bounded(self.parts[index].stream(said)):
                shard = self.folder / f"{index:05}-{len(made):05}.arrow"
                shards.write(shard, *_counted(run))
                made.append(shard.name)
        with writing(self.folder):
            write_text(self.told(index), json.dumps({"shards": made, "said": said}, ensure_ascii=False))

    def done(self, index: int) -> bool:
        """Whether a part was read to its end, and all its shards are there."""
        return self.told(index).exists() and all(
            shards.done(self.folder / name) for name in self.found(index)["shards"]
        )

    def told(self, index: int) -> Path:
        """Where it stands what a part was found to hold."""
        return self.folder / f"part-{index:05}.json"

    def found(self, index: int) -> dict[str, list[str]]:
        """The names of the `shards` of a part, and what was `said` of it."""
        told: dict[str, list[str]] = shards.facts(self.told(index))
        return told

    def made(self) -> tuple[Path, ...]:
        """The shards of all parts, once they are read."""
        return tuple(self.folder / name for index in range(len(self.parts)) for name in self.found(index)["shards"])


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
