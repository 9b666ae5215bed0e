"""Numbers about answers, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes.objectives.answers import (
    confusion,
    exact_match,
    f1,
    is_bio,
    mcc,
    overlap,
    pearson,
    ranks,
    span_scores,
    spans,
    spearman,
)

RIGHT, SAID = np.array([1, 1, 1, 0, 0, 0, 0, 1]), np.array([1, 1, 0, 0, 0, 1, 0, 1])
"""3 hits of class 1, 1 missed, 1 false, 3 hits of class 0."""


def test_two_classes():
    table = confusion(SAID, RIGHT, 2)
    assert table.tolist() == [[3, 1], [1, 3]]
    assert f1(table).tolist() == [0.75, 0.75]
    assert mcc(table) == pytest.approx((3 * 3 - 1 * 1) / np.sqrt(4 * 4 * 4 * 4))  # 0.5


def test_three_classes():
    table = confusion(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0]), 3)
    assert f1(table) == pytest.approx([1 / 2, 2 / 3, 4 / 5])
    # Gorodkin's R_K: (4 hits * 6 - (2*2 + 1*2 + 3*2)) / sqrt((36 - 14) * (36 - 12))
    assert mcc(table) == pytest.approx((24 - 12) / np.sqrt(22 * 24))


def test_one_answer_for_all_tells_nothing():
    table = confusion(np.ones(6, int), np.array([0, 1, 1, 1, 0, 1]), 2)
    assert mcc(table) == 0 and f1(table).tolist() == [0, pytest.approx(8 / 10)]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_general_mcc_is_phi_for_two_classes(pairs):
    said, right = np.array(pairs, dtype=int).T
    table = confusion(said, right, 2)
    (tn, fp), (fn, tp) = table.astype(float)
    below = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert mcc(table) == pytest.approx((tp * tn - fp * fn) / below if below else 0)


def test_correlations():
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 10])
    # deviations of x: -1.5 -.5 .5 1.5; of y (mean 4): -3 -1 -2 6; products 4.5 .5 -1 9 = 13; squares 5 and 50
    assert pearson(x, y) == pytest.approx(13 / np.sqrt(5 * 50))
    assert spearman(x, y) == pytest.approx(1 - 6 * 2 / (4 * 15))  # ranks 1 3 2 4: squared differences 0 1 1 0
    assert pearson(x, np.ones(4)) == 0


def test_ties_share_their_ranks():
    assert ranks(np.array([3.0, 1, 3, 2])).tolist() == [3.5, 1, 3.5, 2]
    # ranks 1 2.5 2.5 4 and 1 2 3 4: covariance 4.5, squares 4.5 and 5
    assert spearman(np.array([0.0, 5, 5, 9]), np.array([1.0, 2, 3, 4])) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_spans_of_bio_tags():
    tags = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-PER", "O", "I-ORG", "I-ORG"]
    assert spans(tags) == {(0, 2, "PER"), (3, 4, "LOC"), (4, 5, "LOC"), (5, 6, "PER"), (7, 9, "ORG")}
    assert spans([]) == set() and spans(["O", "O"]) == set()
    assert is_bio(("B-PER", "I-PER", "O")) and not is_bio(("NOUN", "O")) and not is_bio(("0", "1"))


def test_an_entity_is_right_where_its_borders_and_its_type_are():
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O"]]
    said = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "B-ORG"]]
    # said: PER 0-1 (wrong border), LOC 3-4 (right), LOC 0-1 (wrong type), ORG 1-2 (not there)
    assert span_scores(said, right) == {"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7}
    assert span_scores(right, right)["f1"] == 1


def test_an_entity_ends_with_its_sentence():
    tags = [["B-PER"], ["I-PER"]]
    assert span_scores(tags, [["B-PER"], ["O"]]) == {"precision": 1 / 2, "recall": 1, "f1": 2 / 3}


def test_answers_are_compared_as_squad_does():
    assert exact_match("the Red  ball.", ["A red ball", "ball"]) == 1 and exact_match("balls", ["ball"]) == 0
    assert overlap("big red ball", ["the red ball of Mia", "ball"]) == pytest.approx(2 * 2 / (3 + 4))
    assert exact_match("", []) == 1 and overlap("ball", []) == 0 and overlap("the", []) == 1
