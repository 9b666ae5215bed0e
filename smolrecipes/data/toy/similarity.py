"""Pairs of sentences and how alike they are: from 0, where they have nothing in common, to 4, where all is the same."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import a, capital
from smolrecipes.data.toy.lexicon import DAYS, Language
from smolrecipes.data.toy.scenes import Cast, cast


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Who had what, where, when; each in one of two ways of saying it."""
    who = cast(rng, 2)
    days = rng.pick(DAYS[language], 2)
    same = [rng.random() < 0.5 for _ in range(4)]
    texts = [_sentence(rng, language, who, days, kept) for kept in ([True] * 4, same)]
    return {"texts": texts, "label": float(sum(same))}


def _sentence(rng: Dice, language: Language, who: Cast, days: list[str], first: list[bool]) -> str:
    """With the first or the second of each kind."""
    name, day = who.names[not first[0]], days[not first[3]]
    thing, place = a(who.things[not first[1]], language), who.places[not first[2]].at[language]
    if language == "en":
        return rng.choice((f"On {day} {name} found {thing} {place}.", f"{name} lost {thing} {place} on {day}."))
    return rng.choice((f"{capital(day)} {name} ha trovato {thing} {place}.", f"{name} ha perso {thing} {place} {day}."))
