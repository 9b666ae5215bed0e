"""Small facts in the present tense, each with the questions that it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import SPOTS, a, capital, gender_of, the
from smolrecipes.data.toy.lexicon import (
    BAD_FEELINGS,
    COLOURS,
    FOOD,
    GOOD_FEELINGS,
    NAMES,
    NUMBERS,
    PLACES,
    THINGS,
    Adjective,
    Language,
    Noun,
    Place,
)


@dataclass(frozen=True, eq=False)
class Question:
    """A question, its answer in a word or two, in a sentence, and a sentence that gets the fact wrong."""

    text: str
    curt: str
    full: str
    wrong: str
    hello: bool = False
    """A greeting, which nothing comes before."""


@dataclass(frozen=True, eq=False)
class Fact:
    """A sentence, and what can be asked about it."""

    text: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, eq=False)
class Cast:
    """Who and what a scene is made of: things, colours, ... all different, so that every question has one answer."""

    names: list[str]
    things: list[Noun]
    colours: list[Adjective]
    spots: list[dict[Language, str]]
    places: list[Place]

    def turn(self) -> Cast:
        """The same cast, the first ones moved to the end."""
        return Cast(*(part[1:] + part[:1] for part in vars(self).values()))


def cast(rng: Dice, size: int = 3) -> Cast:
    """`size` different ones of everything."""
    return Cast(*(rng.pick(words, size) for words in (NAMES, THINGS, COLOURS, SPOTS, PLACES)))  # type: ignore[arg-type]


def possession(rng: Dice, who: Cast, language: Language) -> Fact:
    """Mia has a red ball."""
    name, thing, colour = who.names[0], who.things[0], who.colours[0]
    one, the_thing, whole = a(thing, language, colour), the(thing, language), the(thing, language, colour)
    other, other_colour = who.names[1], who.colours[1]
    another = a(who.things[1], language, other_colour)
    if language == "en":
        return Fact(f"{name} has {one}.", (
            Question(f"What colour is {the_thing}?", f"{capital(colour.en)}.",
                     f"{capital(the_thing)} is {colour.en}.", f"{capital(the_thing)} is {other_colour.en}."),
            Question(f"Who has {the_thing}?", f"{name}.", f"{name} has {whole}.", f"{other} has {whole}."),
            Question(f"What does {name} have?", f"{capital(one)}.", f"{name} has {one}.", f"{name} has {another}."),
        ))  # fmt: skip
    red, blue = colour.agree(thing.gender), other_colour.agree(thing.gender)
    return Fact(f"{name} ha {one}.", (
        Question(f"Di che colore è {the_thing}?", f"{capital(red)}.",
                 f"{capital(the_thing)} è {red}.", f"{capital(the_thing)} è {blue}."),
        Question(f"Chi ha {the_thing}?", f"{name}.", f"{name} ha {whole}.", f"{other} ha {whole}."),
        Question(f"Che cosa ha {name}?", f"{capital(one)}.", f"{name} ha {one}.", f"{name} ha {another}."),
    ))  # fmt: skip


def position(rng: Dice, who: Cast, language: Language) -> Fact:
    """The red ball is under the bed."""
    thing, colour, other_colour = who.things[0], who.colours[0], who.colours[1]
    spot, elsewhere = who.spots[0][language], who.spots[1][language]
    the_thing, whole = the(thing, language), the(thing, language, colour)
    another = the(who.things[1], language, other_colour)
    if language == "en":
        return Fact(f"{capital(whole)} is {spot}.", (
            Question(f"Where is {the_thing}?", f"{capital(spot)}.",
                     f"{capital(the_thing)} is {spot}.", f"{capital(the_thing)} is {elsewhere}."),
            Question(f"What is {spot}?", f"{capital(whole)}.", f"{capital(whole)} is {spot}.",
                     f"{capital(another)} is {spot}."),
            Question(f"What colour is {the_thing}?", f"{capital(colour.en)}.",
                     f"{capital(the_thing)} is {colour.en}.", f"{capital(the_thing)} is {other_colour.en}."),
        ))  # fmt: skip
    red, blue = colour.agree(thing.gender), other_colour.agree(thing.gender)
    return Fact(f"{capital(whole)} è {spot}.", (
        Question(f"Dov'è {the_thing}?", f"{capital(spot)}.",
                 f"{capital(the_thing)} è {spot}.", f"{capital(the_thing)} è {elsewhere}."),
        Question(f"Che cosa c'è {spot}?", f"{capital(whole)}.", f"{capital(whole)} è {spot}.",
                 f"{capital(another)} è {spot}."),
        Question(f"Di che colore è {the_thing}?", f"{capital(red)}.",
                 f"{capital(the_thing)} è {red}.", f"{capital(the_thing)} è {blue}."),
    ))  # fmt: skip


def presence(rng: Dice, who: Cast, language: Language) -> Fact:
    """Leo is at the park."""
    name, other = who.names[0], who.names[1]
    here, there = who.places[0].at[language], who.places[1].at[language]
    verb, where, whom = "is", f"Where is {name}?", f"Who is {here}?"
    if language == "it":
        verb, where, whom = "è", f"Dov'è {name}?", f"Chi è {here}?"
    truth = f"{name} {verb} {here}."
    return Fact(truth, (
        Question(where, f"{capital(here)}.", truth, f"{name} {verb} {there}."),
        Question(whom, f"{name}.", truth, f"{other} {verb} {here}."),
    ))  # fmt: skip


def quantity(rng: Dice, who: Cast, language: Language) -> Fact:
    """Mia has two apples and finds one more."""
    name, food, number, more = who.names[0], rng.choice(FOOD), rng.randint(2, 9), rng.random() < 0.5
    words = NUMBERS[language]
    right, wrong = words[number + (1 if more else -1)], words[number + (2 if more else 0)]
    if language == "en":
        change = "finds one more" if more else "eats one"
        many = food.en if right == "one" else food.ens
        return Fact(f"{name} has {words[number]} {food.ens} and {change}.", (
            Question(f"How many {food.ens} does {name} have now?", f"{capital(right)}.",
                     f"{name} now has {right} {many}.", f"{name} now has {wrong} {food.ens}."),
        ))  # fmt: skip
    one = "una" if food.gender == "f" else "uno"
    change = ("ne trova un'altra" if one == "una" else "ne trova un altro") if more else f"ne mangia {one}"
    kept = a(food, "it") if right == "uno" else f"{right} {food.its}"
    right = one if right == "uno" else right
    many = f"Quant{'e' if one == 'una' else 'i'}"
    return Fact(f"{name} ha {words[number]} {food.its} e {change}.", (
        Question(f"{many} {food.its} ha {name} adesso?", f"{capital(right)}.",
                 f"{name} adesso ha {kept}.", f"{name} adesso ha {wrong} {food.its}."),
    ))  # fmt: skip


def feeling(rng: Dice, who: Cast, language: Language) -> Fact:
    """Mia is happy because she has a red ball."""
    name, one = who.names[0], a(who.things[0], language, who.colours[0])
    another, gender = a(who.things[1], language, who.colours[1]), gender_of(name)
    good = rng.random() < 0.6
    mood, other = rng.pick(GOOD_FEELINGS if good else BAD_FEELINGS, 2)
    if language == "en":
        cause = f"{'she' if gender == 'f' else 'he'} {'has' if good else 'cannot find'}"
        return Fact(f"{name} is {mood.en} because {cause} {one}.", (
            Question(f"How does {name} feel?", f"{capital(mood.en)}.",
                     f"{name} is {mood.en} because {cause} {one}.", f"{name} is {other.en} because {cause} {one}."),
            Question(f"Why is {name} {mood.en}?", f"Because {cause} {one}.",
                     f"{name} is {mood.en} because {cause} {one}.", f"{name} is {mood.en} because {cause} {another}."),
        ))  # fmt: skip
    cause = "ha" if good else "non trova"
    glad, sad = mood.agree(gender), other.agree(gender)
    return Fact(f"{name} è {glad} perché {cause} {one}.", (
        Question(f"Come si sente {name}?", f"{capital(glad)}.",
                 f"{name} è {glad} perché {cause} {one}.", f"{name} è {sad} perché {cause} {one}."),
        Question(f"Perché {name} è {glad}?", f"Perché {cause} {one}.",
                 f"{name} è {glad} perché {cause} {one}.", f"{name} è {glad} perché {cause} {another}."),
    ))  # fmt: skip


FACTS: tuple[Callable[[Dice, Cast, Language], Fact], ...] = (
    possession,
    possession,
    position,
    position,
    presence,
    quantity,
    feeling,
)


def scene(rng: Dice, language: Language, size: int) -> list[Fact]:
    """`size` facts (at most three) about different people and things."""
    who, facts = cast(rng), []
    for _ in range(size):
        facts.append(rng.choice(FACTS)(rng, who, language))
        who = who.turn()
    return facts
