"""What is said with the texts that a model is asked, and what it answers: the same for every head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from smolrecipes.decoding import Decoding


class Answer(NamedTuple):
    """What a model made of the texts."""

    text: str
    """For people."""
    data: Any
    """For programs: JSON."""


class Wish(NamedTuple):
    """What is asked for beside the texts."""

    decoding: Decoding | None = None
    """How a model writes that writes; None as `Decoding()` says."""
    top: int = 5
    """How many words or classes are named."""
    source: str = ""
    """The language of the text, where the model tells languages."""
    target: str = ""
    """The language to translate into."""
    plain: bool = False
    """A text is continued, also where the tokenizer has a chat template."""


def ranked(names: Sequence[str], shares: Sequence[float], top: int) -> list[tuple[str, float]]:
    """The likeliest first, at most `top` of them."""
    return sorted(zip(names, map(float, shares), strict=True), key=lambda one: -one[1])[:top]


def listed(found: Sequence[tuple[str, float]]) -> str:
    """`positive 97.1 %, negative 2.9 %`."""
    return ", ".join(f"{name} {share:.1%}" for name, share in found)
