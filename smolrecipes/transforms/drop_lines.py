"""DropLines: lines that are no prose are cut: short ones, navigation, notices, whatever one's own patterns find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Ge, Positive
from smolrecipes.transforms.texts import rewritable, rewritten

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]
NOTICE = re.compile(
    r"^(?=.*\b(?:java ?script|cookies?)\b)(?=.*\b(?:accept|agree|consent|disable|enable|manage|policy|preference|reject|require"
    r"|setting|turn|use|your browser))|privacy (?:notice|policy|statement)|\bterms of (?:service|use)\b"
)
"""JavaScript or a cookie together with what is said of them in notices; what else is said in them."""


class DropLines(Transform, name="drop_lines"):
    """Cuts lines of texts; a row of which a whole text would go is dropped. Empty lines stay, but not two where one was cut."""

    least: Positive | None = None
    """Lines of fewer words are cut."""
    matching: tuple[str, ...] = ()
    """Lines in which one of these regular expressions (Python's `re`) finds something are cut."""
    repeated: Annotated[int, Ge(2)] | None = None
    """Lines that so many rows have, but for case and spacing, are cut: navigation, licences. Lines without a letter stay."""
    notices: bool = False
    """Whether lines about JavaScript, cookies, privacy policies and terms of use are cut, much as for C4 (Raffel et al., 2020)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.changed():
            raise RecipeError("DropLines: it cuts nothing; set least, matching, repeated or notices")
        for pattern in self.matching:
            try:
                re.compile(pattern)
            except re.error as error:
                raise RecipeError(f"DropLines.matching: {pattern!r} is no regular expression: {error}") from None

    def survey(self, rows: Iterable[Row]) -> Facts:
        """Each line of the shard once, as a hash, and how many rows have it."""
        import numpy as np

        if self.repeated is None:
            return {}
        found = b"".join(key for row in rows for key in {_key(line) for line in _lines(row) if _letters(line)})
        lines, count = np.unique(np.frombuffer(found, dtype="<u8"), return_counts=True)
        return {"lines": lines, "rows": count}

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """Of each shard the lines that are frequent in all."""
        import numpy as np

        if self.repeated is None:
            return surveys
        lines, where = np.unique(np.concatenate([one["lines"] for one in surveys]), return_inverse=True)
        rows = np.bincount(where, weights=np.concatenate([one["rows"] for one in surveys]))
        frequent = lines[rows >= self.repeated]
        return [{"frequent": np.intersect1d(one["lines"], frequent)} for one in surveys]

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        raw = known["frequent"].astype("<u8").tobytes() if self.repeated else b""
        frequent = {raw[at : at + 8] for at in range(0, len(raw), 8)}
        return (self._cut(row, frequent) for row in rows)

    def _cut(self, row: Row, frequent: set[bytes]) -> Outcome:
        reasons: dict[str, None] = {}
        emptied = False

        def change(text: str) -> str:
            nonlocal emptied
            new = "".join(self._kept(text, frequent, reasons))
            emptied |= bool(text.strip()) and not new.strip()
            return new if len(new) == len(text) or text.endswith(("\n", "\r")) else new.rstrip("\r\n")

        new = rewritten(row, change)
        if emptied:
            return Outcome(None, ("no line of a text is left",))
        return Outcome(new, tuple(reasons)) if reasons else Outcome(row)

    def _kept(self, text: str, frequent: set[bytes], reasons: dict[str, None]) -> Iterator[str]:
        """The lines that stay; `reasons` collects why others do not."""
        after_a_cut, before = False, " "
        for line in text.splitlines(keepends=True):
            if not line.strip():
                if not (after_a_cut and not before.strip()):
                    yield line
                    before = line
            elif reason := self._why(line.rstrip("\r\n"), frequent):
                reasons[reason] = None
                after_a_cut = True
            else:
                yield line
                after_a_cut, before = False, line

    def _why(self, line: str, frequent: set[bytes]) -> str:
        """Why a line is cut, if it is."""
        if self.least and len(line.split()) < self.least:
            return f"lines of fewer than {self.least} words are cut"
        for pattern, search in self._patterns:
            if search(line):
                return f"lines with {pattern} are cut"
        if self.notices and _notice(line):
            return "notices are cut"
        return f"lines of {self.repeated:,} or more rows are cut" if frequent and _key(line) in frequent else ""

    @cached_property
    def _patterns(self) -> list[tuple[str, Callable[[str], Any]]]:
        return [(pattern, re.compile(pattern).search) for pattern in self.matching]


def _notice(line: str) -> bool:
    lower = line.lower()  # looking for words is much faster than the expression
    return any(word in lower for word in ("script", "cookie", "privacy", "terms of")) and bool(NOTICE.search(lower))


def _lines(row: Row) -> list[str]:
    """The lines of all texts that can be rewritten."""
    return [line for text in rewritable(row) for line in text.splitlines()]


def _letters(line: str) -> bool:
    return any(map(str.isalpha, line))


def _key(line: str) -> bytes:
    """8 bytes: two of a billion lines are taken for one once in forty corpora."""
    from hashlib import blake2b

    return blake2b(" ".join(line.casefold().split()).encode("utf-8", "surrogatepass"), digest_size=8).digest()
