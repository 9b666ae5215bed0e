"""KeepQuality: datatrove's verdicts, its rules by their names, and what C4 cuts."""

from __future__ import annotations

from typing import Any

import pytest

from smolrecipes import KeepQuality, Outcome, RecipeError
from smolrecipes.serialize import decode
from smolrecipes.transforms.words import word_tokenizer

SENTENCES = (
    "The harbour was quiet in the morning, and the fishermen mended their nets. "
    "Nobody knew that the old ship would come back with the storm. "
    "Anna had waited for it on the pier for three long years. "
    "Her brother said that waiting is what people have left to do. "
    "But the sea does not care about what people say, she thought. "
)
STORY = SENTENCES + "So she sat down, opened her book, and began to read of another place."


def row(text: str) -> dict[str, Any]:
    return {"text": text, "origin": "a:1"}


def reasons(text: str, *filters: str, **options: Any) -> tuple[str, ...]:
    step = KeepQuality(*filters, **options)
    step.check()
    outcome = step.treat(row(text))
    return () if outcome.row is not None else outcome.reasons


@pytest.mark.parametrize("words", ["regex", "whitespace"])
@pytest.mark.parametrize("name", ["gopher", "gopher_repetition", "c4", "fineweb"])
def test_a_story_is_kept_as_it_is(name: str, words: Any) -> None:
    story = row(STORY)
    assert KeepQuality(name, words=words).treat(story).row == story


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("gopher", "Too short.", "gopher_short_doc"),
        ("gopher", "## " * 60 + STORY, "gopher_too_many_hashes"),
        ("gopher_repetition", "The same line again.\n" * 9, "dup_para_frac"),
        ("gopher_repetition", "buy it now " * 60, "top_2_gram"),
        ("c4", f"{STORY}\nLorem ipsum dolor sit amet.", "lorem_ipsum"),
        ("c4", f"{STORY}\nfunction go() {{ return false; }}.", "curly_bracket"),
        ("c4", "One sentence here. And another one.", "too_few_sentences"),
        ("fineweb", "\n".join(["home", "about us", "contact"] * 9), "line_punct_ratio"),
    ],
)
def test_the_reason_is_datatrove_s(name: str, text: str, reason: str) -> None:
    paragraphs = text.replace("\n", "\n\n") if reason == "dup_para_frac" else text
    assert reasons(paragraphs, name) == (reason,)


def test_filters_come_one_after_the_other() -> None:
    assert reasons("Too short.", "gopher", "c4") == ("gopher_short_doc",)
    assert reasons("Too short.", "c4", "gopher") == ("too_few_sentences",)


def test_c4_cuts_lines_and_the_row_is_changed() -> None:
    outcome = KeepQuality("c4").treat(row(f"Home | About\n{STORY}\nPlease enable Javascript to see this."))
    assert outcome == Outcome(row(STORY), ("edited by the rules of C4",))


def test_c4_cuts_lines_of_rows_that_have_a_stage_too() -> None:
    staged = {**row(f"{STORY}\nPlease enable Javascript to see this."), "stage": 1}
    outcome = KeepQuality("c4").treat(staged)
    assert outcome.row == {**staged, "text": STORY} and outcome.reasons == ("edited by the rules of C4",)


def test_what_c4_leaves_is_what_the_next_sees() -> None:
    text = f"{STORY}\n" + "# # # # # # # # # #\n" * 9
    assert reasons(text, "gopher") and not reasons(text, "c4", "gopher")


def test_nothing_is_left_for_the_others_to_divide_by() -> None:
    rules = {"min_num_sentences": -1, "min_doc_words": None, "min_stop_words": None}
    for text in ("", " \n", "...", "12 34", "Home"):
        assert reasons(text, "c4", "gopher", rules=rules) == ("no words",), text


def test_rows_of_other_types_are_judged_by_all_their_texts_and_not_edited() -> None:
    pair = {"source": f"Home\n{SENTENCES}", "target": STORY, "origin": "a:1"}
    assert KeepQuality("c4").treat(pair).row is pair
    assert KeepQuality("gopher").treat({**pair, "source": "a", "target": "b"}).reasons == ("gopher_short_doc",)


def test_what_a_word_is_decides() -> None:
    code = "the value of x [ i ] ( j ) ; ; : = - > " * 9 + "and that have with"
    assert reasons(code, "gopher", rules={"max_avg_word_length": None, "min_avg_word_length": None}) == (
        "gopher_below_alpha_threshold",
    )
    assert word_tokenizer("regex").word_tokenize("I don't pay 3.14 (now)!") == [
        "I",
        "don't",
        "pay",
        "3.14",
        "(",
        "now",
        ")!",
    ]
    assert word_tokenizer("whitespace").word_tokenize("pay (now)!") == ["pay", "(now)!"]


def test_sentences_are_the_text() -> None:
    words = word_tokenizer("regex")
    text = 'He said "no." She left! Version 3.2 is out… 朝の港。静か。 End'
    assert "".join(text[start:end] for start, end in words.span_tokenize(text)) == text
    assert len(words.sent_tokenize(text)) == 6
    assert words.span_tokenize("") == []


def test_tokenizers_that_do_the_same_are_one_key_of_datatrove_s_cache() -> None:
    assert (
        word_tokenizer("regex") == word_tokenizer("regex")
        and len({word_tokenizer("regex")} | {word_tokenizer("regex")}) == 1
    )
    assert word_tokenizer("regex") != word_tokenizer("whitespace")


@pytest.mark.parametrize(
    ("text", "name", "rules"),
    [
        ("Too short, but the writer wanted to have it that way.", "gopher", {"min_doc_words": 5}),
        (
            "È breve, ma la nave è tornata nel porto con la tempesta.",
            "gopher",
            {"min_doc_words": 5, "stop_words": ["la", "nel"]},
        ),
        ("One sentence here.", "c4", {"min_num_sentences": 1}),
        ("la la la la la la la la la", "gopher_repetition", {"top_n_grams": [], "dup_n_grams": ()}),
        ("Home;\nAbout;\nContact;\n", "fineweb", {"stop_chars": [";"], "short_line_thr": 1, "new_line_ratio": 1.0}),
    ],
)
def test_rules_are_set_by_their_names(text: str, name: str, rules: dict[str, Any]) -> None:
    assert reasons(text, name) and not reasons(text, name, rules=rules)


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"min_doc_word": 5}, r"gopher and c4: no rule 'min_doc_word'; did you mean 'min_doc_words'\?$"),
        ({"dup_line_frac": 0.5}, r"no rule 'dup_line_frac'"),
        ({"language": "it"}, "no rule 'language'"),
        ({"exclusion_writer": None}, "no rule 'exclusion_writer'"),
        ({"min_doc_words": "many"}, "min_doc_words is a number, not 'many'"),
        ({"min_doc_words": True}, "min_doc_words is a number, not True"),
        ({"min_num_sentences": None}, "min_num_sentences is a number, not None"),
        ({"filter_javascript": 1}, "filter_javascript is true or false, not 1"),
        ({"stop_words": "the"}, "stop_words is a list of texts, not 'the'"),
    ],
)
def test_wrong_rules_are_refused(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        KeepQuality("gopher", "c4", rules=rules).check()


@pytest.mark.parametrize("value", [3, [[0, 0.2]], [2, 0.2], [["2", 0.2]]])
def test_wrong_n_grams_are_refused(value: Any) -> None:
    with pytest.raises(RecipeError, match=r"top_n_grams is a list such as \[\[2, 0.2\]"):
        KeepQuality("gopher_repetition", rules={"top_n_grams": value}).check()


def test_spacy_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolrecipes.transforms.keep_quality.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match="pip install spacy"):
        KeepQuality("gopher", words="spacy").check()


def test_spacy_where_it_is_installed() -> None:
    pytest.importorskip("spacy")
    assert reasons(STORY, "gopher", "fineweb", words="spacy") == ()


@pytest.mark.parametrize("filters", [("gophr",), ("c4", "gophr")])
def test_unknown_filters_are_refused_with_those_there_are(filters: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError, match=r"should be 'gopher', 'gopher_repetition', 'c4' or 'fineweb', not 'gophr'"):
        KeepQuality(*filters)


def test_a_stored_step_is_the_step() -> None:
    step = KeepQuality("gopher_repetition", rules={"top_n_grams": ((2, 0.3),)})
    stored = {"use": "transform:keep_quality", "filters": ["gopher_repetition"], "rules": {"top_n_grams": [[2, 0.3]]}}
    assert decode(stored, KeepQuality) == step == step.replace()
