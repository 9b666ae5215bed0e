"""Reviews with a label. The last clause decides and negation turns words round: counting words is not enough."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import articulated, capital, definite
from smolrecipes.data.toy.lexicon import DAYS, NAMES, NUMBERS, Adjective, Language, adjectives

GOOD = adjectives("""
lovely ottimo
wonderful meraviglioso
beautiful bello bello bella belli belle
perfect perfetto
pleasant piacevole
splendid splendido
excellent eccellente
memorable memorabile
""")
BAD = adjectives("""
dull noioso
terrible terribile
awful pessimo
poor scadente
disappointing deludente
ugly brutto
unpleasant sgradevole
mediocre mediocre
""")
SUBJECTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "film": (("music", "musica", "f"), ("plot", "trama", "f"), ("acting", "recitazione", "f"),
             ("ending", "finale", "m"),
             ("story", "storia", "f"), ("first scene", "prima scena", "f"), ("dialogue", "dialogo", "m")),
    "restaurant": (("food", "cibo", "m"), ("service", "servizio", "m"), ("pasta", "pasta", "f"),
                   ("dessert", "dolce", "m"),
                   ("soup", "zuppa", "f"), ("room", "sala", "f"), ("coffee", "caffè", "m")),
    "lamp": (("light", "luce", "f"), ("switch", "interruttore", "m"), ("colour", "colore", "m"),
             ("design", "design", "m"),
             ("cable", "cavo", "m"), ("box", "scatola", "f")),
    "backpack": (("fabric", "tessuto", "m"), ("zip", "cerniera", "f"), ("pocket", "tasca", "f"),
                 ("shape", "forma", "f"),
                 ("colour", "colore", "m"), ("lining", "fodera", "f")),
    "hotel": (("room", "camera", "f"), ("bed", "letto", "m"), ("breakfast", "colazione", "f"), ("view", "vista", "f"),
              ("bathroom", "bagno", "m"), ("swimming pool", "piscina", "f"), ("lift", "ascensore", "m")),
}  # fmt: skip
ITALIAN = {"film": ("film", "m"), "restaurant": ("ristorante", "m"), "lamp": ("lampada", "f"),
           "backpack": ("zaino", "m"),
           "hotel": ("albergo", "m")}  # fmt: skip
VERDICTS: dict[Language, dict[bool, tuple[str, ...]]] = {
    "en": {
        True: ("I would choose it again", "it is worth every minute", "I am very happy with it",
               "not a waste of time at all",
               "I cannot complain", "I would not change a thing"),
        False: ("a waste of time", "I would never choose it again", "I am not happy with it at all",
                "it is not worth the money",
                "I cannot recommend it", "I would change everything"),
    },
    "it": {
        True: ("{it} sceglierei di nuovo", "vale ogni minuto", "ne sono davvero felice",
               "non è stata affatto una perdita di tempo",
               "non posso lamentarmi", "non cambierei nulla"),
        False: ("una perdita di tempo", "non {it} sceglierei mai più", "non ne sono affatto felice",
                "non vale il prezzo",
                "non posso consigliar{it}", "cambierei tutto"),
    },
}  # fmt: skip


def aspect(rng: Dice, language: Language, part: tuple[str, str, str], good: bool) -> str:
    """The music was lovely; the music was not bad at all: one clause, one time in three by negation."""
    en, it, gender = part
    denied = rng.random() < 0.35
    word: Adjective = rng.choice(GOOD if good != denied else BAD)
    if language == "en":
        return f"the {en} was " + (rng.choice(("not {} at all", "not {}", "far from {}",
                                               "anything but {}")).format(word.en)
                                   if denied else rng.choice(("{}", "really {}",
                                                              "simply {}")).format(word.en))  # fmt: skip
    said, what = word.agree(gender), definite(it, gender) + it
    if denied:
        return what + rng.choice((" non era affatto {}", " non era per niente {}", " era tutt'altro che {}")).format(
            said
        )
    return what + rng.choice((" era {}", " era davvero {}", " era proprio {}")).format(said)


def opening(rng: Dice, language: Language, thing: str) -> str:
    """Who tried what, and when: true of any label."""
    name, day, times = rng.choice(NAMES), rng.choice(DAYS[language]), NUMBERS[language][rng.randint(2, 9)]
    it, gender = ITALIAN[thing]
    if language == "en":
        return rng.choice((f"I tried this {thing} with {name} on {day}.", f"{name} told me about this {thing}.",
                           f"My friend {name} and I chose the {thing} after {times} days.",
                           f"About the {thing}, on {day}:"))  # fmt: skip
    o, of = "a" if gender == "f" else "o", articulated("di", it, gender)
    this = f"Quest'{it}" if it[0] in "aeiou" else f"Quest{o} {it}"
    return rng.choice((f"{this}? Ci ho pensato {times} giorni con {name}.", f"{name} mi ha parlato {of}.",
                       f"{capital(definite(it, gender))}{it}, provat{o} con {name} di {day}.",
                       f"Ecco che cosa penso {of}, dopo {times} giorni:"))  # fmt: skip


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """One review: an opening, and one or two clauses, the last of which decides."""
    good, thing = rng.random() < 0.5, rng.choice(tuple(SUBJECTS))
    first, second = rng.pick(SUBJECTS[thing], 2)
    verdict = rng.choice(VERDICTS[language][good]).format(it="la" if ITALIAN[thing][1] == "f" else "lo")
    form, but = rng.randint(0, 3), ("but" if language == "en" else "ma")
    if form == 0:  # contrast
        body = f"{aspect(rng, language, first, not good)}, {but} {aspect(rng, language, second, good)}"
    elif form == 1:  # contrast, then a verdict
        body = f"{aspect(rng, language, first, not good)}, {but} {aspect(rng, language, second, good)}: {verdict}"
    elif form == 2:
        body = f"{aspect(rng, language, first, not good)}, {but} {verdict}"
    else:
        also = "and" if language == "en" else "e"
        body = f"{aspect(rng, language, first, good)} {also} {aspect(rng, language, second, good)}"
    start = opening(rng, language, thing)
    text = f"{start} {body if start[-1] == ':' else capital(body)}."
    return {"text": text, "label": "positive" if good else "negative"}
