"""Pairs of sentences and how alike they are: from 0, where they have nothing in common, to 4, where all is the same."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import a, capital
from smolrecipes.data.toy.lexicon import DAYS, NAMES, PLACES, THINGS, Language

Event = dict[str, Any]
"""Who found what, where, and when."""
FEW: dict[str, tuple[Any, ...]] = {"name": NAMES[:8], "thing": THINGS[:8], "place": PLACES[:10], "day": tuple(range(7))}
"""Few words, so that a small model soon knows them; of all that can be said with them a run sees next to nothing."""


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Two events that have some of the four in common, each in one of two ways of saying it."""
    one, other = event(rng), event(rng)
    second = {kind: value if rng.random() < 0.5 else other[kind] for kind, value in one.items()}
    texts = [said(rng, language, one), said(rng, language, second)]
    return {"texts": texts, "label": float(sum(second[kind] is value for kind, value in one.items()))}


def event(rng: Dice) -> Event:
    """One of each kind."""
    return {kind: rng.choice(words) for kind, words in FEW.items()}


def said(rng: Dice, language: Language, what: Event, without: str = "") -> str:
    """The event in a sentence, without its place or its day where one of them is left out."""
    name, thing = what["name"], a(what["thing"], language)
    place = "" if without == "place" else what["place"].at[language]
    day = "" if without == "day" else DAYS[language][what["day"]]
    first = rng.random() < 0.5
    if language == "en":
        day = f"on {day}" if day else ""
        parts = (day, name, "found", thing, place) if first else (name, "came across", thing, place, day)
    else:
        parts = (day, name, "ha trovato", thing, place) if first else (name, "ha visto", thing, place, day)
    return capital(" ".join(filter(None, parts))) + "."
