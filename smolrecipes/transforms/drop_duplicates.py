"""DropDuplicates: what was there before is dropped: rows, or lines or paragraphs of their texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Positive
from smolrecipes.transforms.before import again, keys
from smolrecipes.transforms.texts import rewritable, rewritten, whole

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class DropDuplicates(Transform, name="drop_duplicates"):
    """Keeps the first of what is the same but for case, punctuation and spacing, or as `alike` says."""

    of: Literal["rows", "lines", "paragraphs"] = option(default="rows", kw_only=False)
    """What is compared: whole rows, or the lines or paragraphs of their texts, which are cut out; a row of which a whole text would go is dropped."""
    least: Positive = 8
    """Lines and paragraphs of fewer words stay, however often they come: headings, signatures, `return None`."""

    alike: Literal["words", "case", "spacing", "exact"] = "words"
    """What counts: words alone, by which 2+2 is 2-2; all but case and spacing; all but spacing, as in code; or everything."""

    def survey(self, rows: Iterable[Row]) -> Facts:
        return keys(text for row in rows for text in self._pieces(row))

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        return again(surveys)

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        seen = iter(known["again"].tolist())
        treat = self._row if self.of == "rows" else self._cut
        return (treat(row, seen) for row in rows)

    def _row(self, row: Row, seen: Iterator[bool]) -> Outcome:
        return Outcome(None, ("was there before",)) if next(seen) else Outcome(row)

    def _cut(self, row: Row, seen: Iterator[bool]) -> Outcome:
        """The row without the pieces that were there before."""
        cut, emptied = 0, False

        def change(text: str) -> str:
            nonlocal cut, emptied
            kept = []
            for piece in self._split(text):
                there = self._counts(piece) and next(seen)
                cut += there
                if not there:
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

    def _pieces(self, row: Row) -> Iterator[str]:
        """What is compared in a row."""
        from smolrecipes.data.rows import as_compared

        if self.of == "rows":
            yield as_compared(whole(row), self.alike)
            return
        for text in rewritable(row):
            pieces = filter(self._counts, self._split(text))
            yield from (as_compared(piece, self.alike) for piece in pieces)

    def _split(self, text: str) -> list[str]:
        """Its pieces, which together are the text."""
        if self.of == "lines":
            return text.splitlines(keepends=True)
        return re.findall(r".+?(?:\n[ \t\r]*\n\s*|\Z)", text, flags=re.DOTALL)

    def _counts(self, piece: str) -> bool:
        return len(piece.split()) >= self.least
