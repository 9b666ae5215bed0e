"""Which texts are nearly the same, against counting every pair."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearly import alike, kept, sets, texts

from smolrecipes.data.rows import normal
from smolrecipes.near import bands as minhash
from smolrecipes.near.alike import clusters, likeness, meeting
from smolrecipes.near.bands import bands, shape, short
from smolrecipes.near.sets import Sets, distinct
from smolrecipes.near.shingles import BATCH, batches, shingles, word_hashes

SOME = texts(1500)


def known(some, threshold=0.7, words=5):
    hashes, sizes = shingles(some, words)
    return bands(hashes, sizes, threshold), Sets([distinct(hashes, sizes)])


@settings(max_examples=50)
@given(st.lists(st.text(max_size=20) | st.text("ab ,ß\u0301İ１\ud800", max_size=12), min_size=1, max_size=8))
def test_words_are_those_that_normal_finds(some):
    hashes, sizes = word_hashes(some)
    spelt: list[tuple[str, int]] = []
    for text, mine in zip(some, np.split(hashes, np.cumsum(sizes)[:-1])):
        words = [word for word in normal(text).split() if re.fullmatch(r"\w+", word)]
        assert len(mine) == max(1, len(words))
        spelt += zip(words, mine.tolist())
    assert len({word for word, _ in spelt}) == len({one for _, one in spelt}) == len(set(spelt))


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=9).map(" ".join), min_size=1, max_size=9), st.integers(1, 6))
def test_shingles_are_equal_where_the_runs_are(some, words):
    hashes, sizes = shingles(some, words)
    assert len(hashes) == sizes.sum()
    parts = [set(part.tolist()) for part in np.split(hashes, np.cumsum(sizes)[:-1])]
    wanted = sets(some, words)
    assert [len(part) for part in parts] == [len(part) for part in wanted]
    assert len(set.union(*parts)) == len(set.union(*wanted))
    assert [[len(a & b) for a in parts] for b in parts] == [[len(a & b) for a in wanted] for b in wanted]


def test_batches_change_nothing_and_texts_may_be_longer_than_one():
    long = " ".join(SOME[:400]) * 2
    assert len(long) > BATCH
    some = [long, "", "?!", *SOME[:50], long]
    parts = [shingles(batch, 5) for batch in batches(some)]
    assert len(parts) > 1
    assert (np.concatenate([hashes for hashes, _ in parts]) == shingles(some, 5)[0]).all()
    assert (np.concatenate([sizes for _, sizes in parts]) == shingles(some, 5)[1]).all()


@settings(max_examples=200)
@given(st.lists(st.text("ab ,.\n\u0301\u3099ßİ１㎏①。カ\ud800´", max_size=40), max_size=4))
def test_long_texts_are_cut_and_nothing_changes(some):
    whole = word_hashes(some)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("smolrecipes.near.shingles.BATCH", 5)
        cut = word_hashes(some)
    assert whole[0].tolist() == cut[0].tolist() and whole[1].tolist() == cut[1].tolist()


def test_a_long_text_takes_little_memory():
    text = " ".join(SOME[:200])
    text *= 6_000_000 // len(text)
    tracemalloc.start()
    try:
        shingles([text], 5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 15 * len(text)


def test_different_short_rows_are_told_apart():
    """Though half of their hash is the same."""
    some = [f"item {number}" for number in range(300_000)]
    halves = short(np.concatenate([shingles(batch, 5)[0] for batch in batches(some)]))
    order = np.argsort(halves, kind="stable")
    (same,) = np.nonzero(np.diff(halves[order]) == 0)
    pairs = [some[row] for row in np.sort(np.concatenate([order[same], order[same + 1]])).tolist()]
    assert len(pairs) > 6
    found, sets_ = known([*pairs, pairs[0]])
    assert likeness(found, sets_, 0.7).tolist() == [-1] * len(pairs) + [0]
    assert clusters(found, sets_, 0.7).tolist() == [*range(len(pairs)), 0]


def test_nearly_all_pairs_are_found_and_more_than_with_14_bands_of_8(monkeypatch):
    pairs = alike(SOME, 0.7)
    found, _ = known(SOME)

    def share(some):
        return np.mean([(some[one] == some[other]).any() for one, other in pairs])

    monkeypatch.setattr(minhash, "shape", lambda threshold: (14, 8))
    assert len(pairs) > 200 and len({round(share, 1) for share in pairs.values()}) == 4
    assert share(found) >= max(0.99, share(known(SOME)[0]))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 1.0])
def test_what_is_dropped_is_like_what_stays(threshold):
    found, some = known(SOME, threshold)
    like = likeness(found, some, threshold)
    pairs = alike(SOME, threshold)
    dropped = np.flatnonzero(like >= 0)
    assert all((row, one) in pairs and like[one] < 0 for row, one in zip(dropped.tolist(), like[dropped].tolist()))
    wanted = kept(SOME, threshold)
    assert len(set(wanted) ^ set(np.flatnonzero(like < 0).tolist())) <= 0.005 * len(SOME)
    assert set(dropped.tolist()) <= set(np.flatnonzero(meeting([found])).tolist())


def test_similarity_is_exact():
    """But for two runs in a few billion that have the same hash of 32 bits."""
    _, some = known(SOME)
    pairs = alike(SOME, 0.1)
    off = [abs(some.similarities(one, np.array([other]), 0.1)[0] - share) for (one, other), share in pairs.items()]
    assert len(pairs) > 400 and max(off) < 0.02 and sum(one > 1e-12 for one in off) <= 2


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=14).map(" ".join), min_size=1, max_size=30))
def test_clusters_are_joined_by_pairs_that_are_alike(some):
    found, sets_ = known(some, 0.5, 2)
    first = clusters(found, sets_, 0.5)
    expected = list(range(len(some)))
    for one, other in sorted(alike(some, 0.5, 2)):
        if (found[one] == found[other]).any():
            low, high = sorted((expected[one], expected[other]))
            expected = [low if name == high else name for name in expected]
    assert first.tolist() == expected


def test_a_thousand_copies_take_no_longer_than_as_many_rows():
    some = [*SOME[:20], *[SOME[0]] * 1000, *[SOME[1]] * 1000]
    found, sets_ = known(some)
    compared = []
    similarities = sets_.similarities
    sets_.similarities = lambda row, others, least: compared.extend(others) or similarities(row, others, least)
    assert (likeness(found, sets_, 0.7)[20:] == [0] * 1000 + [1] * 1000).all()
    assert len(compared) < 2100
    assert len(set(clusters(found, sets_, 0.7).tolist())) <= 20
    assert len(compared) < 4300


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.7, 0.8, 0.95, 1.0])
def test_bands_are_enough_for_the_threshold(threshold):
    many, minima = shape(threshold)
    assert many * minima <= minhash.MINIMA
    assert 1 - (1 - threshold**minima) ** many >= 0.98
