"""holdout=near: no held-out row is nearly a training row."""

from __future__ import annotations

import json
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearly import alike, texts

from smolrecipes import MLM, Files, ModernBERT, Recipe, RecipeError
from smolrecipes.assemble import load_rows
from smolrecipes.data.rows import make
from smolrecipes.data.split import _together, split, split_near

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


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_what_shares_a_group_or_a_family_is_together(rows_of):
    groups, first = {}, {}
    for index, (key, family) in enumerate(rows_of):
        groups.setdefault(str(key), []).append(index)
        first.setdefault(family, index)
    found = _together(groups, [first[family] for _, family in rows_of])
    alike = [{index} for index in range(len(rows_of))]
    for one, other in product(range(len(rows_of)), repeat=2):
        if rows_of[one][0] == rows_of[other][0] or rows_of[one][1] == rows_of[other][1]:
            joined = alike[one] | alike[other]
            for row in joined:
                alike[row] = joined
    assert {tuple(sorted(some)) for some in found.values()} == {tuple(sorted(some)) for some in alike}
    assert all(key == min(str(rows_of[row][0]) for row in some) for key, some in found.items())


def test_a_long_chain_takes_no_longer_than_its_length_asks():
    groups = {str(number): [2 * number, 2 * number + 1] for number in range(20_000)}
    first = [0, *(row - row % 2 - 1 if row % 2 == 0 else row for row in range(1, 40_000))]
    began = time.process_time()
    assert len(_together(groups, first)) == 1
    assert time.process_time() - began < 5


def test_the_option_asks_for_it(tmp_path):
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in SOME))
    data = Files(str(tmp_path / "x.jsonl"))
    recipe = Recipe(model=ModernBERT(), data=data, objective=MLM(), validation=60, holdout="near")
    train, held_out, _ = load_rows(recipe)
    assert held_out is not None and held_out["text"] == split_near(data.load(), 60, 0)[1]["text"]
    assert near(train, held_out) == 0
