"""DropDuplicates: what was there before is dropped: rows, or lines or paragraphs of their texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Positive
from smolrecipes.transforms.texts import rewritten, whole

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class DropDuplicates(Transform, name="drop_duplicates"):
    """Keeps the first of what is the same but for case, punctuation and spacing."""

    of: Literal["rows", "lines", "paragraphs"] = option(default="rows", kw_only=False)
    """What is compared: whole rows, or the lines or paragraphs of their texts, which are cut out; a row of which a whole text would go is dropped."""
    least: Positive = 8
    """Lines and paragraphs of fewer words stay, however often they come: headings, signatures, `return None`."""

    def survey(self, rows: Iterable[Row]) -> Facts:
        import numpy as np

        found = [key for row in rows for key, _ in self._pieces(row)]
        return {"keys": np.frombuffer(b"".join(found), dtype="V16")}

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        import numpy as np

        keys = np.concatenate([one["keys"] for one in surveys])
        again = np.ones(len(keys), dtype=bool)
        again[np.unique(keys, return_index=True)[1]] = False
        ends = np.cumsum([len(one["keys"]) for one in surveys])
        return [{"again": part} for part in np.split(again, ends[:-1])]

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        again = iter(known["again"].tolist())
        treat = self._row if self.of == "rows" else self._cut
        return (treat(row, again) for row in rows)

    def _row(self, row: Row, again: Iterator[bool]) -> Outcome:
        return Outcome(None, ("was there before",)) if next(again) else Outcome(row)

    def _cut(self, row: Row, again: Iterator[bool]) -> Outcome:
        """The row without the pieces that were there before."""
        cut, emptied = 0, False

        def change(text: str) -> str:
            nonlocal cut, emptied
            kept = []
            for piece in self._split(text):
                seen = self._counts(piece) and next(again)
                cut += seen
                if not seen:
                    kept.append(piece)
            new = "".join(kept)
            emptied |= bool(text.strip()) and not new.strip()
            return new

        new = rewritten(row, change)
        if not cut:
            return Outcome(row)
        if emptied:
            return Outcome(None, (f"all {self.of} of a text were there before",))
        return Outcome(new, (f"{self.of} that were there before are cut",))

    def _pieces(self, row: Row) -> Iterator[tuple[bytes, str]]:
        """What is compared in a row, each with its key of 16 bytes."""
        if self.of == "rows":
            yield _key(whole(row)), ""
            return
        found: list[str] = []
        rewritten(row, lambda text: found.append(text) or text)  # type: ignore[func-returns-value]
        for text in found:
            yield from ((_key(piece), piece) for piece in self._split(text) if self._counts(piece))

    def _split(self, text: str) -> list[str]:
        """Its pieces, which together are the text."""
        if self.of == "lines":
            return text.splitlines(keepends=True)
        return re.findall(r".+?(?:\n[ \t\r]*\n\s*|\Z)", text, flags=re.DOTALL)

    def _counts(self, piece: str) -> bool:
        return len(piece.split()) >= self.least


def _key(text: str) -> bytes:
    from hashlib import blake2b

    from smolrecipes.data.rows import normal

    return blake2b(normal(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
