"""Sample and Balance: the same rows whatever the shards, and no more than were asked for."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import Balance, Files, RecipeError, Sample
from smolrecipes.cache import kept_in
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.stages import prepared

ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), min_size=1, max_size=40)


def made(pairs):
    return [{"text": text, "label": label, "origin": f"x:{number}"} for number, (text, label) in enumerate(pairs)]


def left(step, *parts):
    """The origins that are left, of rows in so many shards."""
    known = step.decide([step.survey(part) for part in parts])
    outcomes = [outcome for part, one in zip(parts, known) for outcome in step.apply(part, one)]
    assert all(outcome.row or outcome.reasons for outcome in outcomes) and len(outcomes) == sum(map(len, parts))
    return [outcome.row["origin"] for outcome in outcomes if outcome.row]


@given(ROWS, st.integers(0, 40), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 3))
def test_shards_change_nothing(pairs, cut, share, seed):
    rows = made(pairs)
    for step in (Sample(share=share, seed=seed), Balance(most=2, seed=seed), Balance(seed=seed)):
        assert left(step, rows) == left(step, rows[:cut], rows[cut:])


@given(ROWS, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_sample_has_the_smaller_one(pairs, one, other):
    small, large = (left(Sample(share=share), made(pairs)) for share in sorted((one, other)))
    assert set(small) <= set(large) and len(large) == max(1, round(max(one, other) * len(pairs)))


def test_a_sample_has_the_same_rows_in_whichever_order_and_under_whichever_name():
    rows = made([(f"text {number}", 0) for number in range(500)])
    moved = [{**row, "origin": f"y:{row['origin']}"} for row in reversed(rows)]

    def texts(some):
        named = {row["origin"]: row["text"] for row in some}
        return {named[origin] for origin in left(Sample(count=50), some)}

    assert texts(rows) == texts(moved)
    others = left(Sample(count=50, seed=1), rows)
    assert len(others) == 50 and 0 < len(set(others) & set(left(Sample(count=50), rows))) < 20


def test_rows_that_hold_the_same_are_drawn_one_by_one():
    rows = made([("same", 0)] * 1000 + [(f"text {number}", 0) for number in range(1000)])
    taken = left(Sample(share=0.5), rows)
    assert 400 < sum(int(origin[2:]) < 1000 for origin in taken) < 600


def test_a_sample_is_even():
    rows = made([(f"text {number}", 0) for number in range(4000)])
    places = np.array([int(origin[2:]) for seed in range(5) for origin in left(Sample(share=0.1, seed=seed), rows)])
    assert np.histogram(places, 4, (0, 4000))[0] == pytest.approx(500, abs=90)


@given(ROWS, st.sampled_from(["smallest", 1, 3, 100]))
def test_no_class_has_more_than_asked(pairs, most):
    kept = left(Balance(most=most), made(pairs))
    before, after = Counter(label for _, label in pairs), Counter(pairs[int(origin[2:])][1] for origin in kept)
    allowed = min(before.values()) if most == "smallest" else most
    assert after == {label: min(count, allowed) for label, count in before.items()}


def test_the_report_says_which_classes_had_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROWS", 7)
    lines = [{"text": f"text {number}", "label": "bad" if number % 5 else "good"} for number in range(50)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with kept_in(tmp_path / "cache"):
        stage = prepared(Files(str(tmp_path / "x.jsonl")).pipe(Balance(), Sample(count=6)))
        assert stage.before.report.reasons == {"enough rows have label bad": 30}
        assert stage.report.reasons == {"is not in the sample": 14}
        with pytest.raises(RecipeError, match=r"sample.count: 60 rows cannot be drawn from 50"):
            prepared(Files(str(tmp_path / "x.jsonl")).pipe(Sample(count=60)))
        with pytest.raises(RecipeError, match=r"x.jsonl:\d+ has no 'lable', only text, label; did you mean 'label'"):
            prepared(Files(str(tmp_path / "x.jsonl")).pipe(Balance("lable")))


def test_classes_are_told_apart_to_their_last_sign_and_long_names_take_no_room():
    rows = [{"text": str(number), "label": "a\0" * (number % 2) or "a", "origin": f"x:{number}"} for number in range(9)]
    assert len(left(Balance(most=2), rows)) == len(left(Balance(most=2), rows[:4], rows[4:])) == 4
    known = Balance().survey(
        [{"text": str(n), "label": str(n) * (1000 if n == 7 else 1), "origin": "x"} for n in range(900)]
    )
    assert sum(part.nbytes for part in known.values()) <= 16 * 900


@pytest.mark.parametrize("options", [{}, {"count": 3, "share": 0.5}])
def test_a_sample_is_a_count_or_a_share(options):
    with pytest.raises(RecipeError, match="give either count"):
        Sample(**options)
