"""Pairs of sentences: whether the second follows from the first, contradicts it, or tells of something else."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.similarity import FEW, Event, event, said


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Who found what, where, when; then a part of it in other words, changed or not."""
    label = rng.choice(("entailment", "contradiction", "neutral"))
    true, other = event(rng), event(rng)
    told = dict(true)
    where = rng.choice(("place", "day"))
    if label == "contradiction":
        told[where] = _another(rng, true, where)
    if label == "neutral":
        changed = rng.choice(("name", "thing"))
        told = {**other, changed: _another(rng, true, changed)}
    left_out = "day" if where == "place" else "place"
    return {"texts": [said(rng, language, true), said(rng, language, told, without=left_out)], "label": label}


def _another(rng: Dice, true: Event, kind: str) -> Any:
    return rng.choice([each for each in FEW[kind] if each is not true[kind]])
