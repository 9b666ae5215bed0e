"""Rows at a glance: read once, counted in passing."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from smolrecipes.data.rows import row_type, texts
from smolrecipes.errors import RecipeError
from smolrecipes.profile import languages
from smolrecipes.profile.chats import COLUMNS, Chats
from smolrecipes.profile.columns import columns
from smolrecipes.profile.counts import Counts
from smolrecipes.profile.lengths import Lengths, histogram
from smolrecipes.profile.oddities import LINE, Oddities
from smolrecipes.profile.sample import BYTES, Sample
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from smolrecipes.kinds import Data

Row = dict[str, Any]
SEEN = 2_000_000
"""Different rows that later ones are compared with, in about 100 bytes each."""


class Profile:
    """What is counted of rows, one by one."""

    def __init__(self, line: int = LINE) -> None:
        self.kind = ""
        self.names: tuple[str, ...] = ()
        self.lengths, self.oddities, self.chats = Lengths(), Oddities(line), Chats()
        self.labels = Counts()
        self.seen: set[bytes] = set()
        self.again = 0
        self.some: list[str] = []
        self.step = 1

    def add(self, row: Row) -> None:
        """Counts one row."""
        found, kind = texts(row), row_type(row)
        if kind != (self.kind or kind):
            raise RecipeError(
                f"{row['origin']} is a {kind} row, and those before are {self.kind} rows; name files of one type"
            )
        self.kind, self.names = kind, self.names or tuple(row)
        self._keep(found, len(self.lengths.characters))
        self.lengths.add(found)
        self.oddities.add(row, found)
        self.labels.add(_labels(row))
        if any(row.get(column) for column in COLUMNS) and self.kind in ("messages", "preference", "judged"):
            self.chats.add(row)
        key = _key(row)
        self.again += key in self.seen
        if len(self.seen) < SEEN:
            self.seen.add(key)

    def _keep(self, found: list[str], number: int) -> None:
        """Texts to tell languages by, evenly spread however many rows come: when there are too many, every other stays."""
        if number % self.step:
            return
        self.some.append(languages.spoken(found)[: languages.BEGINNING])
        if len(self.some) >= 2 * languages.SAMPLE:
            self.some, self.step = self.some[::2], 2 * self.step

    def _duplicates(self, count: int) -> dict[str, Any]:
        """How many rows were there before; and with how many they were compared, where that is not all."""
        found = {"rows": self.again, "share": round(self.again / max(count, 1), 4)}
        return {**found, **({"compared_with": SEEN} if len(self.seen) == SEEN else {})}

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        count = len(self.lengths.characters)
        return {
            "rows": count,
            "bytes": self.lengths.bytes,
            "row_type": self.kind,
            "row_columns": list(self.names),
            "lengths": self.lengths.table(),
            "histogram": histogram(self.lengths.characters),
            "languages": languages.languages(self.some) if languages.installed() else None,
            "languages_of": len(self.some),
            "duplicates": self._duplicates(count),
            "labels": self.labels.facts(),
            "conversations": self.chats.facts() if self.chats.rows else None,
            "oddities": self.oddities.found,
        }


def profile(data: Data, bytes_: int = BYTES, line: int = LINE) -> dict[str, Any]:
    """What there is to say of a source, as JSON. bytes_: how much of its text is looked at; 0 for all."""
    sample, found = Sample(data, bytes_), Profile(line)
    for row in sample:
        found.add(row)
    said = [*dict.fromkeys(sentence for text in sample.said for sentence in text.splitlines())]
    if not found.kind:
        why = f" ({said[0]})" if said else ""
        raise RecipeError(f"{data!r}: it holds no rows{why}; name other data")
    seen = columns(data)
    return {
        "source": hidden(repr(data)),
        "read": [*map(hidden, said or seen.said)],
        "sample": sample.cut,
        "columns": seen.kinds,
        **found.facts(),
    }


def _labels(row: Row) -> list[str]:
    """The class of a row, or those of its tokens; numbers that are no classes count as well."""
    return list(row["tags"]) if "tags" in row else [str(row["label"])] if "label" in row else []


def _key(row: Row) -> bytes:
    """16 bytes that rows share which are the same but for where they are from."""
    text = json.dumps({name: value for name, value in row.items() if name != "origin"}, sort_keys=True)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
