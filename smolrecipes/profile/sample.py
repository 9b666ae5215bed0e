"""The rows that are looked at: all of them, or so many that it takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolrecipes.kinds import Data

Row = dict[str, Any]
BYTES = 32 << 20
"""Of text that is looked at, about."""
PARTS = 16
"""Parts of a source that are, of more than this evenly spread."""


@dataclass
class Sample:
    """Rows of a source, one by one; what was read of it is known once they are read."""

    data: Data
    bytes: int = BYTES
    """Of text at most; 0 for all."""
    said: list[str] = field(default_factory=list)
    """How the rows were read; nothing of a part that was not read to its end."""
    cut: str = ""
    """Which rows were looked at, where it is not all."""

    def __iter__(self) -> Iterator[Row]:
        from smolrecipes.data.files import files_in
        from smolrecipes.data.paths import told_apart

        parts = list(self.data.parts())
        chosen = parts[:: -(-len(parts) // PARTS)] if self.bytes else parts
        room, short = self.bytes // len(chosen), 0
        with told_apart(files_in(self.data)):
            for part in chosen:
                before = len(self.said)
                yield from _up_to(room, part.stream(self.said))
                short += len(self.said) == before
        if short or len(chosen) < len(parts):
            each = f"the first {room / 2**20:.3g} MB" + (f" of each of {len(chosen)}" if len(chosen) > 1 else "")
            self.cut = f"a sample: {each}" + (f" of {len(parts)} parts" if len(parts) > 1 else "")


def _up_to(room: int, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows until there is so much text; 0 for all."""
    from smolrecipes.pipeline.report import size

    seen = 0
    for row in rows:
        yield row
        seen += size(row)
        if room and seen >= room:
            return
