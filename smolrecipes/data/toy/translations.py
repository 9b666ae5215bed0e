"""Sentences in English and in Italian, made from one structure each, so that articles, adjectives and verbs agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import SPOTS, a, and_name, bare, capital, gender_of, of, the, to_name
from smolrecipes.data.toy.lexicon import (
    ANIMALS,
    COLOURS,
    FEELINGS,
    FOOD,
    NAMES,
    NUMBERS,
    PLACES,
    THING_QUALITIES,
    THINGS,
    Language,
    Noun,
)


class Both(NamedTuple):
    """The same in two languages, with what agrees with it: its Italian gender, and whether it is plural."""

    en: str
    it: str
    gender: str = "m"
    plural: bool = False


class Verb(NamedTuple):
    """English third person singular, plural and infinitive; Italian singular and plural."""

    en: str
    ens: str
    it: str
    its: str

    def of(self, who: Both, no: bool) -> Both:
        """Agreeing with its subject, negated or not."""
        en = self.ens if who.plural else self.en
        if no:
            en = f"{'do' if who.plural else 'does'} not {self.ens}"
        it = self.its if who.plural else self.it
        return Both(en, f"non {it}" if no else it)


VERBS = (
    Verb("sees", "see", "vede", "vedono"), Verb("wants", "want", "vuole", "vogliono"),
    Verb("buys", "buy", "compra", "comprano"),
    Verb("finds", "find", "trova", "trovano"), Verb("loves", "love", "ama", "amano"),
    Verb("sells", "sell", "vende", "vendono"),
    Verb("looks for", "look for", "cerca", "cercano"), Verb("brings", "bring", "porta", "portano"),
    Verb("takes", "take", "prende", "prendono"), Verb("draws", "draw", "disegna", "disegnano"),
)  # fmt: skip
EATS = (
    Verb("eats", "eat", "mangia", "mangiano"),
    Verb("cuts", "cut", "taglia", "tagliano"),
    Verb("washes", "wash", "lava", "lavano"),
)
GOES = Verb("goes", "go", "va", "vanno")


def subject(rng: Dice) -> Both:
    """A person, two people, or animals."""
    form = rng.randint(0, 3)
    if form == 0:
        name, friend = rng.pick(NAMES, 2)
        both = {gender_of(name), gender_of(friend)} == {"f"}
        return Both(f"{name} and {friend}", f"{name} {and_name(friend)}", "f" if both else "m", True)
    if form == 1:
        animal, colour, plural = rng.choice(ANIMALS), rng.choice((None, *COLOURS)), rng.random() < 0.5
        words = the(animal, "en", colour, plural), the(animal, "it", colour, plural)
        return Both(capital(words[0]), capital(words[1]), animal.gender, plural)
    name = rng.choice(NAMES)
    return Both(name, name, gender_of(name))


def phrase(rng: Dice, nouns: tuple[Noun, ...] = THINGS) -> Both:
    """A thing: a ball, the red ball, three old balls."""
    noun, adjective = rng.choice(nouns), rng.choice((None, rng.choice(COLOURS), rng.choice(THING_QUALITIES)))
    if nouns is FOOD:
        adjective = None
    form = rng.randint(0, 3)
    if form == 0:
        return Both(a(noun, "en", adjective), a(noun, "it", adjective), noun.gender)
    if form == 1:
        number = rng.randint(2, 10)
        many = bare(noun, "en", adjective, True), bare(noun, "it", adjective, True)
        return Both(f"{NUMBERS['en'][number]} {many[0]}", f"{NUMBERS['it'][number]} {many[1]}", noun.gender, True)
    plural = form == 2
    return Both(the(noun, "en", adjective, plural), the(noun, "it", adjective, plural), noun.gender, plural)


def action(rng: Dice) -> Both:
    """Mia does not want the red balls."""
    nouns, verbs = (FOOD, EATS) if rng.random() < 0.25 else (THINGS, VERBS)
    who, what = subject(rng), phrase(rng, nouns)
    verb = rng.choice(verbs).of(who, rng.random() < 0.2)
    place = rng.choice(PLACES) if rng.random() < 0.4 else None
    at = (f" {place.at['en']}", f" {place.at['it']}") if place else ("", "")
    return Both(f"{who.en} {verb.en} {what.en}{at[0]}.", f"{who.it} {verb.it} {what.it}{at[1]}.")


def mood(rng: Dice) -> Both:
    """Mia and Anna are not tired."""
    who, feeling, no, place = subject(rng), rng.choice(FEELINGS), rng.random() < 0.25, rng.choice(PLACES)
    en, it = "are" if who.plural else "is", "sono" if who.plural else "è"
    how = feeling.agree(who.gender, who.plural)
    no_en, no_it = (" not", "non ") if no else ("", "")
    return Both(f"{who.en} {en}{no_en} {feeling.en} {place.at['en']}.", f"{who.it} {no_it}{it} {how} {place.at['it']}.")


def lying(rng: Dice) -> Both:
    """Mia's red balls are under the bed."""
    noun, colour, many = rng.choice(THINGS), rng.choice(COLOURS), rng.random() < 0.4
    name, spot = rng.choice(NAMES), rng.choice(SPOTS)
    en, it = ("are", "sono") if many else ("is", "è")
    owned = f"{name}'s {bare(noun, 'en', colour, many)}"
    return Both(f"{owned} {en} {spot['en']}.", f"{capital(the(noun, 'it', colour, many))} di {name} {it} {spot['it']}.")


def giving(rng: Dice) -> Both:
    """Mia gives the old book to Anna."""
    (name, friend), what = rng.pick(NAMES, 2), phrase(rng)
    return Both(f"{name} gives {what.en} to {friend}.", f"{name} dà {what.it} {to_name(friend)}.")


def going(rng: Dice) -> Both:
    """The dogs go to the park with Leo."""
    who, place, name = subject(rng), rng.choice(PLACES), rng.choice(NAMES)
    while name in who.en:
        name = rng.choice(NAMES)
    verb = GOES.of(who, rng.random() < 0.2)
    return Both(f"{who.en} {verb.en} {place.to['en']} with {name}.", f"{who.it} {verb.it} {place.to['it']} con {name}.")


def colour_of(rng: Dice) -> Both:
    """The colour of the mirror is green, and the umbrella is old."""
    (noun, other), colour, quality = rng.pick(THINGS, 2), rng.choice(COLOURS), rng.choice(THING_QUALITIES)
    hue, age = colour.agree("m"), quality.agree(other.gender)
    return Both(
        f"The colour {of(noun, 'en')} is {colour.en} and the {other.en} is {quality.en}.",
        f"Il colore {of(noun, 'it')} è {hue} e {the(other, 'it')} è {age}.",
    )


FORMS: tuple[Callable[[Dice], Both], ...] = (action, action, action, mood, lying, lying, giving, going, colour_of)


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """English to Italian in the even rows, Italian to English in the odd ones."""
    pair, source, target = rng.choice(FORMS)(rng), "en", "it"
    if index % 2:
        source, target = target, source
    texts = {"source": getattr(pair, source), "target": getattr(pair, target)}
    return {**texts, "source_language": source, "target_language": target}
