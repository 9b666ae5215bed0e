"""Short stories in which what is said at the start comes back at the end, and short passages of simple facts."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import a, and_name, articulated, bare, capital, gender_of, the, to_name
from smolrecipes.data.toy.lexicon import (
    ANIMALS,
    BAD_FEELINGS,
    FOOD,
    GOOD_FEELINGS,
    NAMES,
    NUMBERS,
    PLACES,
    SOUNDS,
    Adjective,
    Language,
    Noun,
)
from smolrecipes.data.toy.plots import DAYS, ENDINGS, OPENINGS, PLOTS
from smolrecipes.data.toy.questions import DICTIONARY, finite, on_scene, words_asked
from smolrecipes.data.toy.scenes import Cast, cast


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """A story; or a passage of questions with their answers; or a game of echo."""
    make = rng.choice((story, story, story, passage, passage, echo))
    return {"text": make(rng, language)}


def story(rng: Dice, language: Language) -> str:
    """One plot with its people and things, an opening and an ending."""
    slots = Slots(people(rng, language), **food(rng, language))
    beats = [rng.choice(ways) for ways in rng.choice(PLOTS)[language]]
    if rng.random() < 0.6:
        beats.insert(0, rng.choice(OPENINGS[language]))
    if rng.random() < 0.7:
        beats.append(rng.choice(ENDINGS[language]))
    return " ".join(beat.format_map(slots) for beat in beats if beat)


class Slots(dict[str, str]):
    """What fills a template; `{The_thing}` is `{the_thing}` at the start of a sentence."""

    def __missing__(self, key: str) -> str:
        if key[0].islower():
            raise KeyError(key)
        return capital(self[key[0].lower() + key[1:]])


def passage(rng: Dice, language: Language) -> str:
    """Two to four questions, each with its answer in a sentence."""
    asked = [rng.choice((on_scene, on_scene, words_asked, words_asked, finite))(rng, language)
             for _ in range(rng.randint(2, 4))]  # fmt: skip
    return " ".join(f"{question.text} {question.full}" for question in asked)


def echo(rng: Dice, language: Language) -> str:
    """Two or three people say the same words: the quickest way for a small model to learn to copy from its context."""
    names, place = rng.pick(NAMES, rng.randint(2, 3)), rng.choice(PLACES).at[language]
    said = capital(" ".join(entry[language] for entry in rng.pick(DICTIONARY, rng.randint(5, 9))))
    if language == "en":
        mark, verb, who = ',"', "said", f"{names[0]} and {names[1]} played echo {place}."
    else:
        mark, verb, who = '",', "disse", f"{names[0]} {and_name(names[1])} giocavano all'eco {place}."
    return " ".join((who, *(f'"{said}{mark} {verb} {name}.' for name in names)))


def people(rng: Dice, language: Language) -> dict[str, str]:
    """The slots of a story's people, things and places."""
    who = cast(rng, 2)
    hero, friend = who.names
    sad, glad = rng.choice(BAD_FEELINGS), rng.choice(GOOD_FEELINGS)
    fglad, fsad = rng.choice(GOOD_FEELINGS), rng.choice(BAD_FEELINGS)
    mine, yours = gender_of(hero), gender_of(friend)
    moods = {"sad": (sad, mine), "glad": (glad, mine), "fglad": (fglad, yours), "fsad": (fsad, yours)}
    return {
        "hero": hero, "friend": friend, "hero_s": f"{hero}'s", "friend_s": f"{friend}'s",
        "he": "she" if mine == "f" else "he", "his": "her" if mine == "f" else "his",
        "him": "her" if mine == "f" else "him",
        "fhe": "she" if yours == "f" else "he", "to_hero": to_name(hero), "to_friend": to_name(friend),
        "and_friend": and_name(friend), "and_hero": and_name(hero), "fgood": "brava" if yours == "f" else "bravo",
        "day": rng.choice(DAYS[language]),
        **{name: mood.en if language == "en" else mood.agree(gender) for name, (mood, gender) in moods.items()},
        **thing("thing", "it", who.things[0], who.colours[0], language),
        **thing("gift", "git", who.things[1], who.colours[1], language),
        **places(who, language),
    }  # fmt: skip


def thing(name: str, pronoun: str, noun: Noun, colour: Adjective, language: Language) -> dict[str, str]:
    """The slots of one thing: `a_thing`, `the_thing`, `thing`, `thing_word`, ..."""
    return {
        name: the(noun, language), f"a_{name}": a(noun, language, colour), f"the_{name}": the(noun, language, colour),
        f"{name}_colour": bare(noun, language, colour), f"{name}_word": bare(noun, language),
        f"a_{name}_word": a(noun, language), pronoun: "la" if noun.gender == "f" else "lo",
    }  # fmt: skip


def places(who: Cast, language: Language) -> dict[str, str]:
    """The slots of where things lie and where people go."""
    (spot, spot2), (place, place2) = who.spots, who.places
    return {"spot": spot[language], "spot2": spot2[language], "at": place.at[language], "at2": place2.at[language],
            "to_place": place.to[language], "to_place2": place2.to[language]}  # fmt: skip


def food(rng: Dice, language: Language) -> dict[str, str]:
    """The slots of an animal, what it says, and what it is given."""
    animal, eaten, number = rng.choice(ANIMALS[: len(SOUNDS)]), rng.choice(FOOD), rng.randint(2, 9)
    one = "una" if eaten.gender == "f" else "uno"
    less = NUMBERS[language][number - 1]
    few = bare(eaten, language, plural=number > 2)
    return {"an_animal": a(animal, language), "animal": the(animal, language), "sound": SOUNDS[animal.en][language],
            "to_animal": articulated("a", animal.it, animal.gender), "foods": bare(eaten, language, plural=True),
            "foods_less": few, "n": NUMBERS[language][number], "one": one,
            "rest": "restarono" if number > 2 else "restò",
            "n_less": one if less == "uno" else less}  # fmt: skip
