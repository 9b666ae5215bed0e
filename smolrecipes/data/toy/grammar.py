"""Articles, elision, agreement and articulated prepositions: `un'arancia rossa`, `dello zaino`, `an old box`."""

from __future__ import annotations

from functools import cache

from smolrecipes.data.toy.lexicon import FURNITURE, GIRLS, ON_OR_IN, Adjective, Language, Noun

VOWELS = "aeiouàèéìòù"
ARTICULATED = {"di": "de", "a": "a", "da": "da", "in": "ne", "su": "su"}


def definite(phrase: str, gender: str, plural: bool = False) -> str:
    """The Italian definite article for the word that follows: il, lo, l', la, i, gli, le (with its space)."""
    if gender == "f":
        return "le " if plural else "l'" if _elides(phrase) else "la "
    if plural:
        return "gli " if _elides(phrase) or _heavy(phrase) else "i "
    return "l'" if _elides(phrase) else "lo " if _heavy(phrase) else "il "


def indefinite(phrase: str, gender: str) -> str:
    """The Italian indefinite article for the word that follows: un, uno, una, un' (with its space)."""
    if gender == "f":
        return "un'" if _elides(phrase) else "una "
    return "uno " if _heavy(phrase) else "un "


def articulated(preposition: str, phrase: str, gender: str, plural: bool = False) -> str:
    """preposition + article + phrase in Italian: `della palla`, `nello zaino`, `sull'albero`, `degli zaini`."""
    article = definite(phrase, gender, plural)
    stem = ARTICULATED[preposition]
    return stem + {"il ": "l ", "i ": "i ", "gli ": "gli "}.get(article, "l" + article) + phrase


def _elides(phrase: str) -> bool:
    """Begins with a vowel sound (`i` before a vowel is a consonant: lo iodio)."""
    return phrase[0] in VOWELS and not (phrase[0] == "i" and phrase[1] in VOWELS)


def _heavy(phrase: str) -> bool:
    """Takes lo, uno, gli: s and a consonant, z, gn, ps, pn, x, y, i and a vowel."""
    if phrase[0] == "s":
        return phrase[1] not in VOWELS
    return phrase[0] in "zxy" or phrase[:2] in ("gn", "ps", "pn") or (phrase[0] == "i" and phrase[1] in VOWELS)


@cache
def bare(noun: Noun, language: Language, adjective: Adjective | None = None, plural: bool = False) -> str:
    """The noun with its adjective, without article: `red balls`, `palle rosse`."""
    if language == "en":
        word = noun.ens if plural else noun.en
        return f"{adjective.en} {word}" if adjective else word
    word = noun.its if plural else noun.it
    return f"{word} {adjective.agree(noun.gender, plural)}" if adjective else word


@cache
def a(noun: Noun, language: Language, adjective: Adjective | None = None) -> str:
    """With the indefinite article: `an orange hat`, `un cappello arancione`."""
    phrase = bare(noun, language, adjective)
    if language == "it":
        return indefinite(phrase, noun.gender) + phrase
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


@cache
def the(noun: Noun, language: Language, adjective: Adjective | None = None, plural: bool = False) -> str:
    """With the definite article: `the red ball`, `la palla rossa`."""
    phrase = bare(noun, language, adjective, plural)
    return f"the {phrase}" if language == "en" else definite(phrase, noun.gender, plural) + phrase


@cache
def of(noun: Noun, language: Language, adjective: Adjective | None = None) -> str:
    """`of the red ball`, `della palla rossa`."""
    phrase = bare(noun, language, adjective)
    return f"of the {phrase}" if language == "en" else articulated("di", phrase, noun.gender)


def where(preposition: str, noun: Noun, language: Language) -> str:
    """`next to the tree`, `accanto all'albero`."""
    if language == "en":
        return f"{preposition} the {noun.en}"
    if preposition in ("under", "behind"):
        return f"{'sotto' if preposition == 'under' else 'dietro'} {the(noun, 'it')}"
    if preposition == "next to":
        return "accanto " + articulated("a", noun.it, noun.gender)
    return articulated({"on": "su", "in": "in"}[preposition], noun.it, noun.gender)


SPOTS: tuple[dict[Language, str], ...] = tuple(
    {"en": where(preposition, noun, "en"), "it": where(preposition, noun, "it")}
    for preposition, words in ON_OR_IN.items()
    for noun in FURNITURE
    if noun.en in words.split()
)
"""Where a thing can lie, in both languages."""


def gender_of(name: str) -> str:
    return "f" if name in GIRLS else "m"


def to_name(name: str) -> str:
    """`a Mia`, `ad Anna`."""
    return f"{'ad' if name[0] == 'A' else 'a'} {name}"


def and_name(name: str) -> str:
    """`e Mia`, `ed Elena`."""
    return f"{'ed' if name[0] == 'E' else 'e'} {name}"


def capital(text: str) -> str:
    """The first letter as a capital, the rest as it is."""
    return text[0].upper() + text[1:]
