"""holdout=near: no held-out row is nearly a training row."""

from __future__ import annotations

import json

import pytest
from nearly import alike, texts

from smolrecipes import MLM, Files, ModernBERT, Recipe, RecipeError
from smolrecipes.assemble import load_rows
from smolrecipes.data.rows import make
from smolrecipes.data.split import split, split_near

SOME = texts(600, seed=2)


def rows(some):
    return make("text", [{"text": text, "origin": f"x:{number}"} for number, text in enumerate(some)])


def near(train, held_out):
    """How many pairs of a held-out and a training text are nearly the same."""
    both = [*train["text"], *held_out["text"]]
    return sum(one >= len(train) > other for one, other in alike(both, 0.7))


def test_no_held_out_row_is_nearly_a_training_row():
    every = rows(SOME)
    train, held_out = split_near(every, 100, seed=0)
    assert near(*split(every, 100, seed=0)) > 20 and near(train, held_out) == 0
    assert len(held_out) == 100 and sorted([*train["origin"], *held_out["origin"]]) == sorted(every["origin"])
    assert len(alike(held_out["text"], 0.7)) > 5  # whole families are held out


def test_it_follows_from_the_seed_and_the_texts():
    held = set(split_near(rows(SOME), 0.1, seed=0)[1]["text"])
    assert held == set(split_near(rows(SOME[::-1]), 0.1, seed=0)[1]["text"])
    assert held != set(split_near(rows(SOME), 0.1, seed=1)[1]["text"])


def test_rows_that_ask_the_same_stay_on_one_side_as_well():
    turns = [{"source": f"question {number // 3}", "target": text} for number, text in enumerate(SOME[:90])]
    every = make("pair", [{**row, "origin": f"x:{number}"} for number, row in enumerate(turns)])
    train, held_out = split_near(every, 20, seed=0)
    assert held_out and not set(train["source"]) & set(held_out["source"])


def test_rows_that_are_all_nearly_the_same_cannot_be_split():
    words = SOME[0].split() * 30
    some = rows([" ".join([*words, str(number)]) for number in range(9)])
    with pytest.raises(RecipeError, match="the 9 rows are all nearly the same"):
        split_near(some, 3, seed=0)


def test_the_option_asks_for_it(tmp_path):
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in SOME))
    data = Files(str(tmp_path / "x.jsonl"))
    recipe = Recipe(model=ModernBERT(), data=data, objective=MLM(), validation=60, holdout="near")
    train, held_out, _ = load_rows(recipe)
    assert held_out is not None and held_out["text"] == split_near(data.load(), 60, 0)[1]["text"]
    assert near(train, held_out) == 0
