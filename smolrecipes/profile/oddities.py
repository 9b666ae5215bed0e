"""What is odd about a row: nothing in it, characters that no text has, turns in a strange order."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from smolrecipes.check.rows import LOOKS, empty

Row = dict[str, Any]
ROW = 100_000
"""Characters from which on a row is very long."""
LINE = 10_000
"""Characters from which on a line is, in a row of several."""
PLACES = 5
"""Places of an oddity that are kept."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
"""Control characters but for tabs, line ends and page breaks."""
SURROGATE = re.compile("[\ud800-\udfff]")
TURNS = {
    "same": "the same answer is chosen and rejected",
    "silent": "no answer of the assistant at the end",
    "order": "turns out of order",
}


class Oddities:
    """How many rows are odd, by what is odd about them, and where the first of them are."""

    def __init__(self, line: int = LINE) -> None:
        self.line = line
        self.found: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, Callable[[str], bool]] = {
            "replacement characters (U+FFFD)": lambda text: "\N{REPLACEMENT CHARACTER}" in text,
            "control characters": lambda text: CONTROL.search(text) is not None,
            "lone surrogates, which cannot be stored": lambda text: SURROGATE.search(text) is not None,
            f"a line over {line:,} characters": self._long,
        }
        if find_spec("ftfy") is not None:
            self.looks["looks wrongly decoded"] = wrongly_decoded

    def add(self, row: Row, texts: list[str]) -> None:
        """Looks at one row."""
        if empty(row) or not any(text.strip() for text in texts):
            self._note("empty", row)
            return
        for name, look in LOOKS.items():
            if look(row):
                self._note(TURNS[name], row)
        for what, odd in self.looks.items():
            if any(map(odd, texts)):
                self._note(what, row)
        if sum(map(len, texts)) > ROW:
            self._note(f"over {ROW:,} characters", row)

    def _long(self, text: str) -> bool:
        return len(text) > self.line and any(len(line) > self.line for line in text.split("\n"))

    def _note(self, what: str, row: Row) -> None:
        found = self.found.setdefault(what, {"rows": 0, "places": []})
        found["rows"] += 1
        if len(found["places"]) < PLACES:
            found["places"].append(str(row["origin"]))


def wrongly_decoded(text: str) -> bool:
    """Whether ftfy takes it for text that was decoded by another encoding; plain ASCII never is, and most lines are that."""
    from ftfy import is_bad

    return not text.isascii() and any(is_bad(line) for line in text.split("\n") if not line.isascii())
