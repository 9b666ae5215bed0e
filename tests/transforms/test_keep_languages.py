"""KeepLanguages: what is kept, what a short row is, how a wrong code is told."""

from __future__ import annotations

from typing import Any

import pytest

from smolrecipes import KeepLanguages, Outcome, RecipeError
from smolrecipes.transforms import keep_languages

TEXTS = {
    "en": "The harbour was quiet in the morning, and the fishermen mended their nets while the children slept.",
    "it": "La mattina il porto era tranquillo, e i pescatori rammendavano le reti mentre i bambini dormivano ancora.",
    "fr": "Le matin, le port était calme, et les pêcheurs réparaient leurs filets pendant que les enfants dormaient.",
    "de": "Am Morgen war der Hafen still, und die Fischer flickten ihre Netze, während die Kinder noch schliefen.",
    "es": "Por la mañana el puerto estaba tranquilo y los pescadores remendaban sus redes mientras los niños dormían.",
    "ru": "Утром в гавани было тихо, и рыбаки чинили свои сети, пока дети ещё спали в своих маленьких домах.",
    "ja": "朝の港は静かで、漁師たちは子供たちがまだ眠っている間に網を繕っていた。空はゆっくりと明るくなり、船は一隻ずつ海へ出ていった。",
}


def row(text: str) -> dict[str, Any]:
    return {"text": text, "origin": "a:1"}


@pytest.mark.parametrize("language", TEXTS)
def test_the_languages_asked_for_stay_and_the_reason_tells_the_others(language: str) -> None:
    outcome = KeepLanguages("it", "en").treat(row(TEXTS[language]))
    if language in ("it", "en"):
        assert outcome == Outcome(row(TEXTS[language]), ())
    else:
        assert outcome == Outcome(None, (f"language {language}",))


def test_probabilities_of_the_languages_add_up() -> None:
    both = row(f"{TEXTS['it']} {TEXTS['en']}")
    assert KeepLanguages("it", "en", least=0.9).treat(both).row is both
    assert {KeepLanguages(one, least=0.9).treat(both).row is None for one in ("it", "en")} == {True}


def test_a_row_that_is_likely_in_the_language_but_not_likely_enough_is_said_to_be_in_doubt() -> None:
    text = "yes no perhaps error value none"
    ((best, share), *_) = keep_languages._identifier().rank(text)
    outcome = KeepLanguages(best, least=(1 + share) / 2, shortest=0).treat(row(text))
    assert outcome == Outcome(None, (f"language {best}, in doubt",))


def test_short_rows_stay_unless_all_are_judged() -> None:
    short = row("Nein, danke. 12345 " + "-" * 500)
    assert KeepLanguages("it").treat(short).row is short
    assert KeepLanguages("it", shortest=0).treat(short).row is None
    enough = row("Das ist aber ein schöner Tag")
    letters = len("DasistabereinschönerTag".encode())
    assert KeepLanguages("it", shortest=letters + 1).treat(enough).row is enough
    assert KeepLanguages("it", shortest=letters).treat(enough).row is None


def test_long_rows_are_read_in_several_places() -> None:
    mostly_french = row(" ".join([TEXTS["en"]] * 20 + [TEXTS["fr"]] * 100))
    assert KeepLanguages("en").treat(mostly_french).reasons == ("language fr",)
    assert KeepLanguages("fr").treat(mostly_french).row is mostly_french
    for length in (keep_languages.READ, keep_languages.READ + 1, 10 * keep_languages.READ + 3):
        assert len(keep_languages._sample("x" * length)) <= keep_languages.READ + keep_languages.PLACES


def test_all_texts_of_a_row_are_read_together() -> None:
    said = [{"role": "user", "content": TEXTS["en"]}, {"role": "assistant", "content": TEXTS["en"]}]
    assert KeepLanguages("it").treat({"messages": said, "tools": None, "origin": "a:1"}).reasons == ("language en",)


@pytest.mark.parametrize("code", ["ita", "it-IT", "Italian", "IT"])
def test_an_unknown_code_is_refused_with_the_nearest(code: str) -> None:
    with pytest.raises(
        RecipeError, match=rf"^keep_languages.languages: py3langid tells no '{code}'; did you mean 'it'\?$"
    ):
        KeepLanguages("en", code).check()


def test_where_nothing_is_near_all_codes_are_told() -> None:
    with pytest.raises(RecipeError, match=r"tells no '\?'; it knows ace, af, .* zxx$"):
        KeepLanguages("?").check()


def test_codes_are_given_one_by_one_or_as_a_list() -> None:
    step = KeepLanguages("it", "en", least=0.7)
    assert step == KeepLanguages(["it", "en"], least=0.7) == KeepLanguages(languages=("it", "en"), least=0.7)
    assert eval(repr(step)) == step and step.replace(least=0.5) == KeepLanguages("it", "en")


@pytest.mark.parametrize("given", [(), ((),), (5,)])
def test_no_language_is_no_choice(given: Any) -> None:
    with pytest.raises(RecipeError, match="languages"):
        KeepLanguages(*given)


def test_the_model_is_loaded_once() -> None:
    assert keep_languages._identifier() is keep_languages._identifier()
