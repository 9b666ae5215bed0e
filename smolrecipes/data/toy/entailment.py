"""Pairs of texts: whether the second follows from the first, contradicts it, or has nothing to do with it."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.scenes import scene


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """One or two facts, and a sentence about one of them, or about another."""
    label = rng.choice(("entailment", "contradiction", "neutral"))
    *told, untold = scene(rng, language, rng.randint(2, 3))
    asked = rng.choice((untold if label == "neutral" else rng.choice(told)).questions)
    said = asked.wrong if label == "contradiction" or (label == "neutral" and rng.random() < 0.5) else asked.full
    return {"texts": [" ".join(fact.text for fact in told), said], "label": label}
