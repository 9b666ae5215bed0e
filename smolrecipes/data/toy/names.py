"""Sentences with tagged names of people, places and shops. Most names are invented: what tells them apart is what is around."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import DAYS, NAMES, THINGS, Language

ONSETS = ("b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "cr", "dr", "fl", "gr", "pl", "st",
          "tr")  # fmt: skip
VOWELS = tuple("aeiou")
TITLES: dict[Language, tuple[str, ...]] = {"en": ("Doctor", "Aunt", "Captain"), "it": ("dottor", "zia", "capitan")}
LANDS: dict[Language, tuple[str, ...]] = {"en": ("Mount", "Port", "Lake"), "it": ("Monte", "Porto", "Lago")}
FORMS: dict[Language, tuple[str, ...]] = {
    "en": (
        "{PER} lives in {LOC} .", "On {day} {PER} met {PER} near {LOC} .", "{ORG} sells every {thing} in {LOC} .",
        "{PER} works for {ORG} .", "The road to {LOC} is long , said {PER} .", "{PER} bought a {thing} from {ORG} .",
        "In {LOC} , {PER} opened {ORG} .", "The {thing} of {PER} is not here .", "Ask {PER} about the {thing} on {day} .",
        "{ORG} is looking for {PER} .",
    ),
    "it": (
        "{PER} abita a {LOC} .", "{day} {PER} ha visto {PER} vicino a {LOC} .", "{ORG} vende di tutto a {LOC} .",
        "{PER} lavora per {ORG} .", "La strada per {LOC} è lunga , disse {PER} .", "{PER} compra tutto da {ORG} .",
        "A {LOC} , {PER} ha aperto {ORG} .", "Non c' è traccia di {PER} .", "Chiedi a {PER} che cosa è successo {day} .",
        "{ORG} cerca {PER} .",
    ),
}  # fmt: skip


def invented(rng: Dice) -> str:
    """Two or three syllables: Brezo, Minastu."""
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 3))).capitalize()


def name(rng: Dice, kind: str, language: Language) -> list[str]:
    """One, two or three words."""
    word = invented(rng)
    if kind == "PER":
        first = rng.choice(NAMES) if rng.random() < 0.3 else word
        return rng.choice(([first], [first, invented(rng)], [rng.choice(TITLES[language]), first]))
    if kind == "LOC":
        return [rng.choice(LANDS[language]), word] if rng.random() < 0.4 else [word]
    return rng.choice(([word], [word, "&", invented(rng)], [word, invented(rng)]))


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """One or two sentences, their tags as B-PER, I-PER, O."""
    tokens: list[str] = []
    tags: list[str] = []
    for _ in range(rng.randint(1, 2)):
        for part in rng.choice(FORMS[language]).split():
            kind = part.strip("{}")
            words = [part] if kind == part else _filled(rng, kind, language)
            marked = [
                f"{'I' if at else 'B'}-{kind}" if kind.isupper() and kind != part else "O" for at in range(len(words))
            ]
            tokens += words
            tags += marked
    return {"tokens": tokens, "tags": tags}


def _filled(rng: Dice, kind: str, language: Language) -> list[str]:
    """What stands in a form's slot."""
    if kind == "day":
        return [rng.choice(DAYS[language])]
    return [rng.choice(THINGS).en] if kind == "thing" else name(rng, kind, language)
