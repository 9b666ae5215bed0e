"""Decontaminate: which rows share words with an evaluation set, against looking for each run in each text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import MLM, Decontaminate, Files, ModernBERT, Recipe, RecipeError
from smolrecipes.cache import kept_in
from smolrecipes.named import resolve
from smolrecipes.near.shared import index
from smolrecipes.pipeline.stages import prepared

WORDS = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)


def written(path, *texts, **more):
    path.write_text("".join(json.dumps({"text": text, **more}) + "\n" for text in texts), encoding="utf-8")
    return Files(str(path))


def left(step, *texts):
    rows = [{"text": text, "origin": f"train.txt:{number}"} for number, text in enumerate(texts, 1)]
    return [(outcome.row and outcome.row["text"], outcome.reasons, outcome.like) for outcome in step.apply(rows, {})]


@settings(max_examples=80)
@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, max_size=4), st.integers(1, 5), st.integers(1, 4))
def test_what_an_index_finds(some, evals, words, least):
    def pieces(text):
        known = text.split()
        return [known[i : i + words] for i in range(max(1, len(known) - words + 1))]

    def shares(text, other):
        if not text or not other:
            return text == other
        one = f" {text} "
        return any(f" {' '.join(p)} " in one if len(p) >= min(least, words) else text == other for p in pieces(other))

    expected = [next((i for i, other in enumerate(evals) if shares(text, other)), -1) for text in some]
    if evals:
        assert index(evals, words, least).owners(some).tolist() == expected


def test_a_row_with_a_piece_of_an_evaluation_row_is_dropped_and_it_is_said_of_which(tmp_path):
    piece = "how many apples has John left after he gave three of them to Mary"
    evals = written(tmp_path / "exam.jsonl", "nothing in common", f"Tell me: {piece}?")
    found = left(Decontaminate(evals), f"Quiz. {piece.upper()}! Answer: 4", "how many apples has John left")
    assert found == [
        (None, ("holds a piece of exam.jsonl",), "exam.jsonl:2"),
        ("how many apples has John left", (), ""),
    ]


def test_short_evaluation_rows_count_as_a_whole(tmp_path):
    evals = written(tmp_path / "exam.jsonl", "Great film.", "Who wrote the book about the whale?")
    found = left(
        Decontaminate(evals), "great film", "A great film indeed", "He asked: who wrote the book about the WHALE, then"
    )
    assert [text for text, _, _ in found] == [None, "A great film indeed", None]
    assert [text for text, _, _ in left(Decontaminate(evals, least=2), "A great film indeed")] == [None]


def test_only_the_columns_that_are_named_count(tmp_path):
    path = tmp_path / "qa.jsonl"
    path.write_text('{"source": "What is the largest of all the seas?", "target": "yes it is that one over there"}\n')
    both, one = (Decontaminate(Files(str(path)), words=5, columns=columns) for columns in ((), ("source",)))
    text = "they said yes it is that one over there again"
    assert left(both, text)[0][0] is None and left(one, text)[0][0] == text
    with pytest.raises(RecipeError, match=r"qa.jsonl:1 has no 'sorce', only source, target; did you mean 'source'"):
        left(one.replace(columns=("sorce",)), text)


def test_changed_evaluation_rows_are_another_step(tmp_path):
    text = "one two three four five six seven"
    train = written(tmp_path / "train.jsonl", text, "eins zwei drei vier fünf sechs sieben")
    data = train.pipe(Decontaminate(written(tmp_path / "exam.jsonl", text)))
    with kept_in(tmp_path / "cache"):
        stage = prepared(data)
        assert stage.load()["text"] == ["eins zwei drei vier fünf sechs sieben"]
        assert stage.report.examples[0]["like"] == "exam.jsonl:1"
        written(tmp_path / "exam.jsonl", "EINS, zwei, drei, vier, fünf, sechs, sieben")
        assert prepared(data).load()["text"] == [text]


def test_evaluation_rows_may_be_a_bare_string_of_a_recipe(tmp_path):
    train = written(tmp_path / "train.jsonl", "one two three four five six", "seven")
    written(tmp_path / "exam.jsonl", "one two three four five six")
    step = Decontaminate(str(tmp_path / "exam.jsonl"))
    recipe = Recipe(model=ModernBERT(), data=train.pipe(step), objective=MLM(), validation=0)
    with kept_in(tmp_path / "cache"):
        assert resolve(recipe).data.load()["text"] == ["seven"]
    with pytest.raises(RecipeError, match=r"decontaminate.evals: a recipe finds out what"):
        train.pipe(step).load()
