"""Dictations: what the user says comes back in the answer, word for word or in JSON. What a small model copies by is learned from them soon."""

from __future__ import annotations

import json
from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import DAYS, NAMES, Language
from smolrecipes.data.toy.names import invented
from smolrecipes.data.toy.questions import DICTIONARY

KEYS: dict[Language, tuple[str, ...]] = {
    "en": ("name", "place", "day", "colour", "title", "item", "text", "owner", "number", "animal"),
    "it": ("nome", "luogo", "giorno", "colore", "titolo", "cosa", "testo", "padrone", "numero", "animale"),
}
ASKED: dict[Language, tuple[tuple[str, ...], ...]] = {
    "en": (("Repeat: {}", "Say after me: {}"), ("List: {}", "As a list: {}"), ("Note: {}", "Write down: {}")),
    "it": (("Ripeti: {}", "Di' con me: {}"), ("Elenca: {}", "In un elenco: {}"), ("Nota: {}", "Scrivi: {}")),
}
AGAIN: dict[Language, str] = {"en": "Again.", "it": "Ancora."}


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Words to repeat, words to list, or notes of which some are asked for; mostly twice."""
    kind = rng.choice((0, 0, 1, 2))
    if kind == 0:
        said = answer = phrase(rng, language, 1 + size(rng, 5))
    elif kind == 1:
        words = [phrase(rng, language, 1) for _ in range(1 + size(rng, 4))]
        said, answer = ", ".join(words), json.dumps(words, ensure_ascii=False)
    else:
        notes = {key: phrase(rng, language, size(rng, 3)) for key in shuffled(rng, KEYS[language])[: 1 + size(rng, 3)]}
        wanted = shuffled(rng, tuple(notes))[: size(rng, len(notes))]
        said = ", ".join(f"{key} {value}" for key, value in notes.items()) + ". " + ", ".join(wanted)
        answer = json.dumps({key: notes[key] for key in wanted}, ensure_ascii=False)
    ask = rng.choice(ASKED[language][kind]).format(said)
    asked = [ask] + [AGAIN[language]] * (rng.random() < 0.6)
    turns = ((("user", said), ("assistant", answer)) for said in asked)
    return {"messages": [{"role": role, "content": text} for turn in turns for role, text in turn], "tools": None}


def size(rng: Dice, most: int) -> int:
    """Mostly small: copying is first learned where there is little to choose from."""
    return 1 + int(rng.random() ** 2 * most)


def phrase(rng: Dice, language: Language, words: int) -> str:
    """So many words."""
    return " ".join(word(rng, language) for _ in range(words))


def word(rng: Dice, language: Language) -> str:
    """Of the dictionary, a name, a day, a number, or a name that nobody has heard."""
    share = rng.random()
    if share < 0.5:
        return rng.choice(DICTIONARY)[language]
    if share < 0.7:
        return invented(rng)
    if share < 0.93:
        return rng.choice(NAMES if share < 0.85 else DAYS[language])
    return str(rng.randint(1, 99))


def shuffled(rng: Dice, words: tuple[str, ...]) -> list[str]:
    """The words in random order."""
    return sorted(words, key=lambda _: rng.random())
