"""What the toy chat is about: questions on a small scene, on words, on itself."""

from __future__ import annotations

from collections.abc import Callable

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import a, capital, definite, gender_of, the
from smolrecipes.data.toy.lexicon import (
    ANIMALS,
    COLOURS,
    DAYS,
    FOOD,
    FURNITURE,
    LEGS,
    NAMES,
    NUMBERS,
    OPPOSITES,
    PLACES,
    QUALITIES,
    SOUNDS,
    THINGS,
    Adjective,
    Language,
    Noun,
    Place,
)
from smolrecipes.data.toy.scenes import Question, scene
from smolrecipes.data.toy.scenes import cast as make_cast

ME = "Smol"
ENTRIES: tuple[Noun | Place | Adjective, ...] = (*THINGS, *ANIMALS, *FOOD, *FURNITURE, *PLACES, *COLOURS, *QUALITIES)
WORDS = sorted({(word.en, word.it) for word in ENTRIES})
DICTIONARY: tuple[dict[Language, str], ...] = tuple({"en": en, "it": it} for en, it in WORDS if en != "orange")
"""Every word with its translation; orange has two."""


def opposite(rng: Dice, language: Language) -> Question:
    """What is the opposite of big?"""
    word, other = rng.pick(QUALITIES, 2)
    right = OPPOSITES[word.en]
    if other is right:
        other = word
    if language == "en":
        start = f"The opposite of {word.en} is"
        return Question(
            f"What is the opposite of {word.en}?",
            f"{capital(right.en)}.",
            f"{start} {right.en}.",
            f"{start} {other.en}.",
        )
    start = f"Il contrario di {word.it} è"
    return Question(
        f"Qual è il contrario di {word.it}?", f"{capital(right.it)}.", f"{start} {right.it}.", f"{start} {other.it}."
    )


def sound(rng: Dice, language: Language) -> Question:
    """What does the dog say?"""
    animal, other = rng.pick(ANIMALS[: len(SOUNDS)], 2)
    right, wrong = SOUNDS[animal.en][language], SOUNDS[other.en][language]
    who = the(animal, language)
    ask, verb = (f"What does {who} say?", "says") if language == "en" else (f"Che verso fa {who}?", "fa")
    return Question(ask, f"{capital(right)}.", f"{capital(who)} {verb} {right}.", f"{capital(who)} {verb} {wrong}.")


def legs(rng: Dice, language: Language) -> Question:
    """How many legs does a bee have?"""
    animal = rng.choice([noun for noun in ANIMALS if noun.en in LEGS])
    right = LEGS[animal.en]
    wrong = rng.choice([n for n in (0, 2, 4, 6, 8) if n != right])
    words, who = NUMBERS[language], a(animal, language)
    if language == "en":
        count = {0: "no"}
        return Question(f"How many legs does {who} have?", f"{capital(words[right])}.",
                        f"{capital(who)} has {count.get(right, words[right])} legs.",
                        f"{capital(who)} has {count.get(wrong, words[wrong])} legs.")  # fmt: skip
    return Question(f"Quante zampe ha {who}?", f"{capital(words[right])}.",
                    f"{capital(who)} ha {words[right]} zampe.", f"{capital(who)} ha {words[wrong]} zampe.")  # fmt: skip


def translate(rng: Dice, language: Language) -> Question:
    """How do you say dog in Italian?"""
    word, other = rng.pick(DICTIONARY, 2)
    if language == "en":
        start = f"In Italian, {word['en']} is"
        return Question(f"How do you say {word['en']} in Italian?", f"{capital(word['it'])}.",
                        f"{start} {word['it']}.", f"{start} {other['it']}.")  # fmt: skip
    start = f"In inglese {word['it']} si dice"
    return Question(f"Come si dice {word['it']} in inglese?", f"{capital(word['en'])}.",
                    f"{start} {word['en']}.", f"{start} {other['en']}.")  # fmt: skip


def tomorrow(rng: Dice, language: Language) -> Question:
    """Today is Monday. What day is tomorrow?"""
    day, days = rng.randint(0, 6), DAYS[language]
    today, right, wrong = days[day], days[(day + 1) % 7], days[(day + rng.randint(2, 6)) % 7]
    if language == "en":
        return Question(f"Today is {today}. What day is tomorrow?", f"{right}.",
                        f"Today is {today}, so tomorrow is {right}.",
                        f"Today is {today}, so tomorrow is {wrong}.")  # fmt: skip
    return Question(f"Oggi è {today}. Che giorno è domani?", f"{capital(right)}.",
                    f"Oggi è {today}, quindi domani è {right}.",
                    f"Oggi è {today}, quindi domani è {wrong}.")  # fmt: skip


def add_one(rng: Dice, language: Language) -> Question:
    """What comes after three?"""
    number, words = rng.randint(1, 10), NUMBERS[language]
    right, wrong = words[number + 1], words[number + 2 if number < 10 else number - 1]
    if language == "en":
        start = f"After {words[number]} comes"
        return Question(
            f"What comes after {words[number]}?", f"{capital(right)}.", f"{start} {right}.", f"{start} {wrong}."
        )
    before, right, wrong = (definite(word, "m") + word for word in (words[number], right, wrong))
    start, digit = f"Dopo {before} viene", capital(words[number + 1])
    return Question(f"Che numero viene dopo {before}?", f"{digit}.", f"{start} {right}.", f"{start} {wrong}.")


def my_name(rng: Dice, language: Language) -> Question:
    """What is your name?"""
    other = rng.choice(NAMES)
    if language == "en":
        return Question("What is your name?", f"{ME}.", f"My name is {ME}.", f"My name is {other}.")
    return Question("Come ti chiami?", f"{ME}.", f"Mi chiamo {ME}.", f"Mi chiamo {other}.")


def words_asked(rng: Dice, language: Language) -> Question:
    """Repeat, first, last, how many: about a list of two to five words."""
    words = [word[language] for word in rng.pick(DICTIONARY, rng.randint(2, 5))]
    listed, task = ", ".join(words), rng.choice(("repeat", "first", "last", "count"))
    if task == "repeat":
        ask, start = ("Repeat", "You said") if language == "en" else ("Ripeti", "Hai detto")
        return Question(
            f"{ask}: {listed}.", f"{capital(listed)}.", f"{start}: {listed}.", f"{start}: {', '.join(words[::-1])}."
        )
    if task == "count":
        ask, start, noun = "Quante parole", "Ci sono", "parole"
        if language == "en":
            ask, start, noun = "How many words", "There are", "words"
        right = NUMBERS[language][len(words)]
        wrong = NUMBERS[language][len(words) + rng.choice((-1, 1)) if len(words) > 2 else 3]
        return Question(
            f"{ask}: {listed}?", f"{capital(right)}.", f"{start} {right} {noun}.", f"{start} {wrong} {noun}."
        )
    right, wrong = (words[0], words[-1]) if task == "first" else (words[-1], words[0])
    if language == "en":
        start = f"The {task} word is"
        return Question(
            f"Which is the {task} word: {listed}?", f"{capital(right)}.", f"{start} {right}.", f"{start} {wrong}."
        )
    which = "la prima parola" if task == "first" else "l'ultima parola"
    start = f"{capital(which)} è"
    return Question(f"Qual è {which}: {listed}?", f"{capital(right)}.", f"{start} {right}.", f"{start} {wrong}.")


FINITE: tuple[Callable[[Dice, Language], Question], ...] = (
    opposite,
    sound,
    legs,
    translate,
    translate,
    tomorrow,
    add_one,
    my_name,
)
"""Questions of which there are few: somebody says something about themselves first."""


def about_me(rng: Dice, language: Language) -> tuple[str, str]:
    """What a user says about themselves, and their name."""
    who = make_cast(rng, 2)
    name, one, here = who.names[0], a(who.things[0], language, who.colours[0]), who.places[0].at[language]
    friend, o = who.names[1], "a" if gender_of(name) == "f" else "o"
    if language == "en":
        said = (f"I am {name} and I have {one}.", f"I am {name} and I am {here} with {friend}.",
                f"My name is {name}. I am {here} and I have {one}.",
                f"{friend} and I are {here}. I am {name}.")  # fmt: skip
    else:
        said = (f"Sono {name} e ho {one}.", f"Sono {name} e sono {here} con {friend}.",
                f"Mi chiamo {name}. Sono {here} e ho {one}.",
                f"Sono {name}. Sono sol{o} {here} e ho {one}.")  # fmt: skip
    return rng.choice(said), name


def greeting(rng: Dice, language: Language) -> Question:
    """Hello! I am Mia and I have a red ball."""
    said, name = about_me(rng, language)
    other = rng.choice([n for n in rng.pick(NAMES, 2) if n != name])
    if language == "en":
        hello = rng.choice(("Hello", "Hi", "Good morning"))
        nice = "It is lovely to meet you."
        return Question(
            f"{hello}! {said}", f"{hello}.", f"{hello}, {name}! {nice}", f"{hello}, {other}! {nice}", hello=True
        )
    hello = rng.choice(("Ciao", "Buongiorno", "Salve"))
    nice = "Che bello conoscerti."
    return Question(
        f"{hello}! {said}", f"{hello}.", f"{hello}, {name}! {nice}", f"{hello}, {other}! {nice}", hello=True
    )


def recall(rng: Dice, language: Language) -> Question:
    """I am Mia and I have a red ball. What is my name?"""
    said, name = about_me(rng, language)
    other = rng.choice([n for n in rng.pick(NAMES, 2) if n != name])
    ask, start = ("What is my name?", "Your name is") if language == "en" else ("Come mi chiamo?", "Ti chiami")
    return Question(f"{said} {ask}", f"{name}.", f"{start} {name}.", f"{start} {other}.")


def finite(rng: Dice, language: Language) -> Question:
    """One of the FINITE questions, most after a word about oneself."""
    question = rng.choice(FINITE)(rng, language)
    if rng.random() < 0.04:
        return question
    said = about_me(rng, language)[0]
    return Question(f"{said} {question.text}", question.curt, question.full, question.wrong)


def on_scene(rng: Dice, language: Language) -> Question:
    """One to three facts, and a question about one of them."""
    facts = scene(rng, language, rng.randint(1, 3))
    question = rng.choice(rng.choice(facts).questions)
    context = " ".join(fact.text for fact in facts)
    return Question(f"{context} {question.text}", question.curt, question.full, question.wrong)


def conversation(rng: Dice, language: Language, turns: int) -> list[Question]:
    """The questions of a conversation, each with its context, the later ones leaning on the first."""
    if turns == 1:
        return [rng.choices((on_scene, words_asked, finite, greeting, recall), (45, 20, 25, 5, 5))[0](rng, language)]
    if rng.random() < 0.5:  # a scene, asked about more than once
        facts = scene(rng, language, 3)
        asked = rng.pick([question for fact in facts for question in fact.questions], turns)
        first = Question(
            " ".join(f.text for f in facts) + " " + asked[0].text, asked[0].curt, asked[0].full, asked[0].wrong
        )
        return [first, *asked[1:]]
    return [
        greeting(rng, language),
        *(rng.choice((*FINITE, words_asked, on_scene))(rng, language) for _ in range(turns - 1)),
    ]
