"""Shards of one schema: pieces change neither labels nor what is drawn, and rows are as without a pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smolrecipes import Balance, Files, FixText, Keep, Map, Mix, Outcome, RecipeError, Sample, Transform
from smolrecipes.cache import kept_in
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.stages import prepared


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shards, "ROWS", 50)
    with kept_in(tmp_path / "cache"):
        yield tmp_path


def write(labels, name="a.jsonl", **more):
    rows = [{"text": f"text {n} of {name}", "label": label, **more} for n, label in enumerate(labels)]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Files(name)


def seven(row):
    """Only text has this method: labels are text in each shard."""
    return row["label"].lstrip("0") == "7"


def same(row):
    """The row."""
    return {**row, "label": row["label"].strip()}


class Scores(Transform, name="scores"):
    """Gives every label anew: as the number of its row, halved, or as text."""

    words: bool = False

    def treat(self, row):
        number = int(row["text"].split()[1])
        row["label"] = ("good" if number < 50 else 7) if self.words else number // 2 if number < 50 else number / 2
        return Outcome(row, ("scored",))


class Asks(Transform, name="asks"):
    """Rows of another type, of the first only where it is told."""

    after: int = 0

    def treat(self, row):
        if int(row["text"].split()[1]) < self.after:
            return Outcome(row)
        return Outcome({"messages": [{"role": "user", "content": row["text"]}], "tools": None, "origin": row["origin"]})


@pytest.mark.parametrize(
    "labels",
    [
        ["007"] * 60 + ["good"] * 40,
        ["1"] * 50 + ["1.0"] * 20 + ["2.5"] * 30,
        ["1"] * 60 + ["2.0"] * 40,
        [1, 2] * 30 + [1.5] * 40,
        [1.0, 2.0] * 50,
        [True, False] * 50,
    ],
)
def test_labels_are_those_without_a_pipeline(labels):
    data = write(labels)
    piped = data.pipe(Sample(share=1.0))
    whole, loaded = data.load(), piped.load()
    assert len(prepared(piped).line[0].shards) == 2 and loaded[:] == whole[:] and loaded.features == whole.features
    streamed = list(piped.stream([]))
    assert streamed == list(loaded) and [type(row["label"]) for row in streamed] == list(map(type, whole["label"][:]))


def test_what_is_balanced_and_drawn_does_not_depend_on_shards(monkeypatch, tmp_path):
    data = write([1.0 if n % 2 else 2.0 for n in range(50)] + [[1.0, 2.0, 1.5][n % 3] for n in range(50)])
    steps = (Balance("label"), Sample(count=20))
    pieces = [data.pipe(step).load()[:] for step in steps]
    monkeypatch.setattr(shards, "ROWS", 50_000)
    with kept_in(tmp_path / "other"):
        assert [data.pipe(step).load()[:] for step in steps] == pieces
    assert len(pieces[0]["label"]) == 48


def test_labels_stay_what_they_are_in_each_step():
    kept = write(["007"] * 60 + ["good"] * 40).pipe(Keep(seven), FixText())
    assert kept.load()["label"][:] == ["007"] * 60
    assert kept.pipe(Keep(seven), Map(same)).load()["label"][:] == ["007"] * 60
    mixed = Mix((write(["7"] * 60 + ["good"], "b.jsonl"),)).pipe(Keep(seven))
    assert Mix((mixed,)).pipe(FixText()).load()["label"][:] == ["7"] * 60


def test_a_step_may_change_labels():
    data = write(["bad"] * 100)
    assert data.pipe(Scores()).load()["label"][:] == [float(n // 2 if n < 50 else n / 2) for n in range(100)]
    with pytest.raises(RecipeError, match="label: some labels are numbers and some are text; write them alike"):
        data.pipe(Scores(words=True)).load()


def test_labels_of_two_types_are_the_sentence_without_a_pipeline():
    write([1] * 3)
    write(["good"] * 3, "b.jsonl")
    Path("c.txt").write_text("")
    for data in (Files("a.jsonl,b.jsonl"), Files("a.jsonl,b.jsonl").pipe(FixText())):
        with pytest.raises(RecipeError, match="label: some labels are numbers and some are text; write them alike"):
            data.load()


def test_labels_of_two_types_in_two_parts(monkeypatch):
    monkeypatch.setattr("smolrecipes.data.files.PART", 10)
    test_labels_of_two_types_are_the_sentence_without_a_pipeline()
    test_a_text_and_several_texts_are_not_one_type()


def test_a_text_and_several_texts_are_not_one_type():
    write([1] * 3)
    rows = [{"premise": f"a {n}", "hypothesis": "b", "label": 1} for n in range(3)]
    Path("b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for data in (Files("a.jsonl,b.jsonl"), Files("a.jsonl,b.jsonl").pipe(FixText())):
        with pytest.raises(RecipeError, match=r"a.jsonl holds labelled rows; b.jsonl holds labelled \(texts\) rows"):
            data.load()


def test_a_step_leaves_rows_of_one_type():
    data = write([1] * 100)
    assert data.pipe(Asks()).load().column_names == ["messages", "tools", "origin"]
    for after in (20, 50):  # in a shard, and between two
        with pytest.raises(RecipeError, match="a.jsonl holds labelled rows; a.jsonl holds messages rows"):
            data.pipe(Asks(after=after)).load()


def test_labels_are_settled_again_after_a_kill(monkeypatch):
    data = write([str(n % 2) for n in range(100)]).pipe(FixText())
    store, stored = shards.store, []

    def dies(shard, made):
        stored.append(shard)
        if len(stored) == 4:  # two are read, and one is stored again
            raise KeyboardInterrupt
        store(shard, made)

    monkeypatch.setattr(shards, "store", dies)
    with pytest.raises(KeyboardInterrupt):
        data.load()
    assert data.load()["label"][:] == [0, 1] * 50
