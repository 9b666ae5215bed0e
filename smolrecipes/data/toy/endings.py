"""A short text and four sentences, one of which is true of it: multiple choice."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.scenes import scene


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """One or two facts, what follows from one of them, the same with something wrong in it, and two of another."""
    *told, other = scene(rng, language, rng.randint(2, 3))
    true, untold = rng.choice(rng.choice(told).questions), rng.choice(other.questions)
    choices = [true.full, true.wrong, untold.full, untold.wrong]
    right = rng.randint(0, 3)
    choices[0], choices[right] = choices[right], choices[0]
    return {"text": " ".join(fact.text for fact in told), "choices": choices, "label": right}
