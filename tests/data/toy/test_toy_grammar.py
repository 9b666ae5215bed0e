from __future__ import annotations

import pytest

from smolrecipes.data.toy import grammar, lexicon
from smolrecipes.data.toy.lexicon import Adjective, Noun


@pytest.mark.parametrize(
    ("word", "gender", "expected"),
    [
        ("albero", "m", "l'albero un albero dell'albero gli"),
        ("zaino", "m", "lo zaino uno zaino dello zaino gli"),
        ("specchio", "m", "lo specchio uno specchio dello specchio gli"),
        ("sasso", "m", "il sasso un sasso del sasso i"),
        ("gnomo", "m", "lo gnomo uno gnomo dello gnomo gli"),
        ("psicologo", "m", "lo psicologo uno psicologo dello psicologo gli"),
        ("xilofono", "m", "lo xilofono uno xilofono dello xilofono gli"),
        ("yogurt", "m", "lo yogurt uno yogurt dello yogurt gli"),
        ("iodio", "m", "lo iodio uno iodio dello iodio gli"),
        ("giardino", "m", "il giardino un giardino del giardino i"),
        ("isola", "f", "l'isola un'isola dell'isola le"),
        ("arancia", "f", "l'arancia un'arancia dell'arancia le"),
        ("scatola", "f", "la scatola una scatola della scatola le"),
        ("zebra", "f", "la zebra una zebra della zebra le"),
    ],
)
def test_italian_articles(word: str, gender: str, expected: str) -> None:
    made = (
        grammar.definite(word, gender) + word,
        grammar.indefinite(word, gender) + word,
        grammar.articulated("di", word, gender),
        grammar.definite(word, gender, True).strip(),
    )
    assert " ".join(made) == expected


@pytest.mark.parametrize(
    ("preposition", "word", "gender", "plural", "expected"),
    [
        ("a", "albero", "m", False, "all'albero"),
        ("in", "zaino", "m", False, "nello zaino"),
        ("su", "isola", "f", False, "sull'isola"),
        ("da", "nonna", "f", False, "dalla nonna"),
        ("di", "zaini", "m", True, "degli zaini"),
        ("in", "libri", "m", True, "nei libri"),
        ("su", "sedie", "f", True, "sulle sedie"),
        ("a", "tavolo", "m", False, "al tavolo"),
        ("di", "amici", "m", True, "degli amici"),
    ],
)
def test_articulated_prepositions(preposition: str, word: str, gender: str, plural: bool, expected: str) -> None:
    assert grammar.articulated(preposition, word, gender, plural) == expected


def noun(en: str) -> Noun:
    return next(n for n in (*lexicon.THINGS, *lexicon.FOOD, *lexicon.ANIMALS) if n.en == en)


def colour(en: str) -> Adjective:
    return next(c for c in lexicon.COLOURS if c.en == en)


def test_agreement() -> None:
    assert grammar.a(noun("scarf"), "it", colour("white")) == "una sciarpa bianca"
    assert grammar.the(noun("scarf"), "it", colour("white"), True) == "le sciarpe bianche"
    assert grammar.the(noun("mirror"), "it", colour("pink"), True) == "gli specchi rosa"
    assert grammar.the(noun("clock"), "it", colour("grey"), True) == "gli orologi grigi"
    assert grammar.of(noun("orange"), "it", colour("green")) == "dell'arancia verde"
    assert grammar.a(noun("ball"), "en", colour("orange")) == "an orange ball"
    assert grammar.a(noun("umbrella"), "en") == "an umbrella"
    assert noun("mouse").ens == "mice" and noun("cherry").ens == "cherries" and noun("brush").ens == "brushes"


def test_euphonic_d() -> None:
    assert [grammar.to_name(n) for n in ("Anna", "Mia", "Elena")] == ["ad Anna", "a Mia", "a Elena"]
    assert [grammar.and_name(n) for n in ("Anna", "Elena")] == ["e Anna", "ed Elena"]


def test_the_lexicon_is_consistent() -> None:
    every = (*lexicon.THINGS, *lexicon.FURNITURE, *lexicon.ANIMALS, *lexicon.FOOD)
    assert len({n.en for n in every}) == len({n.it for n in every}) == len(every)
    assert all(n.gender in "mf" and (n.gender == "f" or not n.it.endswith("a")) for n in every)
    assert all(lexicon.OPPOSITES[lexicon.OPPOSITES[q.en].en] is q for q in lexicon.QUALITIES)
    assert set(lexicon.SOUNDS) == {n.en for n in lexicon.ANIMALS[: len(lexicon.SOUNDS)]}
    assert len(set(lexicon.NAMES)) == len(lexicon.NAMES)
