"""Pairs of sentences that tell of the same, in other words, or not: then somebody else found it, or something else was found."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.similarity import FEW, event, said


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Who found what, where, when; then a part of it again, with another name or thing where they are not the same."""
    true, same = event(rng), rng.random() < 0.5
    told, changed = dict(true), rng.choice(("name", "thing"))
    if not same:
        told[changed] = rng.choice([each for each in FEW[changed] if each is not true[changed]])
    texts = [said(rng, language, true), said(rng, language, told, without=rng.choice(("place", "day")))]
    return {"texts": texts, "label": "same" if same else "different"}
