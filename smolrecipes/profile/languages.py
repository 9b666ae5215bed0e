"""Which languages texts are in, as py3langid says of a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec

SAMPLE = 500
"""Rows that are looked at."""
BEGINNING = 1_000
"""Characters of each."""
LEAST = 20
"""Characters below which nobody can tell."""
SHARE = 0.05
"""Of the texts, from which on a language is named: what is rarer is as often a mistake."""
UNKNOWN = "py3langid is not installed, so nobody looked: pip install 'smolrecipes[data]'"


def installed() -> bool:
    """Whether anything here tells languages."""
    return find_spec("py3langid") is not None


def languages(texts: Iterable[str]) -> dict[str, int]:
    """How many of the texts are in each language, by its code (ISO 639-1); those too short to tell are not counted."""
    import py3langid

    found = Counter(str(py3langid.classify(text[:BEGINNING])[0]) for text in texts if len(text.strip()) >= LEAST)
    return dict(found.most_common())


def spoken(texts: Iterable[str]) -> str:
    """What a row says, without its calls and tools, which are JSON."""
    return "\n".join(text for text in texts if text[:1] != "{")


def named(counts: dict[str, int]) -> dict[str, int]:
    """The languages with a share worth a name."""
    return {code: count for code, count in counts.items() if count >= SHARE * sum(counts.values())}


def grouped(counts: dict[str, int], of: int = 0) -> dict[str, int]:
    """The same, all others together, and how many `of` the texts were too short to tell."""
    kept, told = named(counts), sum(counts.values())
    rest = {"others": told - sum(kept.values()), "too short to tell": of - told}
    return {**kept, **{name: count for name, count in rest.items() if count > 0}}
