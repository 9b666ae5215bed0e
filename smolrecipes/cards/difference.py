"""What differs between two texts, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from smolrecipes.pipeline.report import LONG

WORDS = re.compile(r"\w+|\s+|[^\w\s]")
HIDDEN = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    **dict.fromkeys((0x7F, *range(0x80, 0xA0)), "\N{SYMBOL FOR DELETE}"),
    **{
        ord(sign): f"\\u{ord(sign):04x}"
        for sign in "\xad\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\ufeff"
    },
}
"""Characters that are not seen, or change how others are shown, and what stands for them."""


class Piece(NamedTuple):
    """A part of one text or of both."""

    kind: str
    """same, cut (only in the first) or added (only in the second)."""
    text: str


def difference(before: str, after: str) -> list[Piece]:
    """The pieces of both texts in their order."""
    one, other = WORDS.findall(before), WORDS.findall(after)
    found: list[Piece] = []
    for what, start, end, first, last in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what == "equal":
            found.append(Piece("same", "".join(one[start:end])))
            continue
        found += [Piece("cut", "".join(one[start:end]))] * (end > start)
        found += [Piece("added", "".join(other[first:last]))] * (last > first)
    return found


def pieces(example: dict[str, str]) -> list[Piece]:
    """What differs in an example of a report; of texts that were cut there, where they end says nothing and is left out."""
    before, after = example["before"], example.get("after")
    if after is None:
        return [Piece("cut", before)]
    found = difference(before, after)
    if max(len(before), len(after)) >= LONG and any(piece.kind == "same" for piece in found):
        while found[-1].kind != "same":
            found.pop()
    return found


def by_lines(found: list[Piece]) -> list[str]:
    """The same line by line, as `diff` writes it: what is in both, `- ` what was, `+ ` what is."""
    one = "".join(piece.text for piece in found if piece.kind != "added").split("\n")
    other = "".join(piece.text for piece in found if piece.kind != "cut").split("\n")
    told: list[str] = []
    for what, start, end, first, last in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what == "equal":
            told += [f"  {line}" for line in one[start:end]]
        else:
            told += [f"- {line}" for line in one[start:end]] + [f"+ {line}" for line in other[first:last]]
    return told


def visible(text: str) -> str:
    """With a sign for each control character, so that a text that had some can be shown and read."""
    return text.translate(HIDDEN).encode("utf-8", "replace").decode("utf-8")
