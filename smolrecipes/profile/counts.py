"""Words counted in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

MOST = 500
"""Different words that are counted, each by itself: where labels are numbers, every row may have its own."""
OTHERS = f"others than the first {MOST}"
"""What the rest are counted as."""


class Counts:
    """How often each word comes."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def add(self, words: Iterable[str]) -> None:
        """Counts some words."""
        for word in words:
            self.of[word if word in self.of or len(self.of) < MOST else OTHERS] += 1

    def facts(self) -> dict[str, int]:
        """The most frequent first; the rest, counted together, at the end."""
        found = dict(self.of.most_common())
        rest = found.pop(OTHERS, 0)
        return {**found, **({OTHERS: rest} if rest else {})}
