"""DropNearDuplicates: what goes, whatever the shards and processes, and of what it is said to be a copy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearly import alike, kept, texts

from smolrecipes import DropNearDuplicates, Files, RecipeError
from smolrecipes.cache import kept_in
from smolrecipes.pipeline import facts, pool, shards, stages

SOME = texts(800, seed=1)


def through(folder: Path, step=None, count=1, processes=1):
    """The stage after a step, on so many files."""
    folder.mkdir(parents=True)
    for part in range(count):
        lines = [
            json.dumps({"text": text}) for text in SOME[part * len(SOME) // count : (part + 1) * len(SOME) // count]
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    data = Files(str(folder / "*.jsonl")).pipe(step or DropNearDuplicates())

    def spread(task, number, what):
        for _ in pool.each(task, number, processes):
            pass

    with kept_in(folder / "cache"), stages.spread_by(spread):
        return stages.prepared(data)


def test_it_keeps_what_comparing_all_keeps(tmp_path):
    stage = through(tmp_path / "a")
    left = stage.load()["text"]
    wanted = [SOME[index] for index in kept(SOME, 0.7)]
    assert len(set(left) ^ set(wanted)) <= 0.005 * len(SOME) and 100 < stage.report.dropped < 500
    assert stage.report.reasons == {"a near-duplicate of what was there before": stage.report.dropped}


def test_the_examples_say_what_a_row_is_like(tmp_path):
    stage = through(tmp_path / "a")
    pairs = alike(SOME, 0.7)
    assert len(stage.report.examples) == 10
    for example in stage.report.examples:
        row, like = (int(example[name].partition(":")[2]) - 1 for name in ("origin", "like"))
        assert (row, like) in pairs


@pytest.mark.parametrize(("count", "processes", "size"), [(3, 2, 50_000), (1, 1, 50_000)])
def test_shards_and_processes_change_nothing(tmp_path, monkeypatch, count, processes, size):
    one = through(tmp_path / "one")
    monkeypatch.setattr(shards, "BYTES", size)
    monkeypatch.setattr(facts, "LARGE", 0)
    monkeypatch.setattr("smolrecipes.data.files.PART", 1)
    many = through(tmp_path / "many", count=count, processes=processes)
    assert len(one.shards) == 1 and len(many.shards) > 5
    assert many.load()["text"] == one.load()["text"]


def test_no_rows_are_alike_where_none_are(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "x.jsonl").write_text(
        '{"text": "one"}\n{"text": "two"}\n{"text": "?"}\n{"text": "!"}\n', encoding="utf-8"
    )
    with kept_in(folder / "cache"):
        assert stages.prepared(Files(str(folder / "x.jsonl")).pipe(DropNearDuplicates())).report.dropped == 0


WORDS = st.lists(st.sampled_from("abcdef"), max_size=20).map(" ".join)


def left(step, some):
    rows = [{"text": text, "origin": f"x:{index}"} for index, text in enumerate(some)]
    asked = step.narrow([step.survey(rows)])
    (known,) = step.decide([step.inspect(rows, asked[0])])
    return [outcome.row["text"] for outcome in step.apply(rows, known) if outcome.row]


@settings(max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=25), st.sampled_from([0.4, 0.7, 1.0]), st.integers(1, 5))
def test_dropping_again_drops_nothing_more(some, threshold, words):
    step = DropNearDuplicates(threshold, words=words)
    once = left(step, some)
    assert left(step, once) == once
    assert once[0] == some[0]


def test_rows_of_other_types_are_compared_by_all_their_texts():
    step = DropNearDuplicates()
    rows = [
        {"messages": [{"role": "user", "content": f"Say {word}."}], "tools": None, "origin": f"x:{i}"}
        for i, word in enumerate(("one", "ONE", "two"))
    ]
    (known,) = step.decide([step.inspect(rows, step.narrow([step.survey(rows)])[0])])
    assert [outcome.like for outcome in step.apply(rows, known)] == ["", "x:0", ""]


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.1}, {"words": 0}])
def test_options_have_limits(options):
    with pytest.raises(RecipeError, match="DropNearDuplicates"):
        DropNearDuplicates(**options)
