"""Parts of one source, each read by itself: rows of one type, or a sentence."""

from __future__ import annotations

import json

import pytest

from smolrecipes import DropDuplicates, Files
from smolrecipes.cache import kept_in
from smolrecipes.errors import RecipeError

PAIR = json.dumps({"question": "q", "answer": "a"})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(PAIR)
    (tmp_path / "b.txt").write_text("some text")
    (tmp_path / "c.txt").write_text("")
    with kept_in(tmp_path / "cache"):
        yield


def told(data) -> str:
    with pytest.raises(RecipeError) as caught:
        data.load()
    return str(caught.value)


def test_rows_of_several_types_are_the_same_sentence_as_without_a_pipeline():
    files = Files("a.jsonl,b.txt")
    for _ in range(2):  # also where the parts were read before
        assert told(files.pipe(DropDuplicates())) == told(files)
    assert told(files).startswith("a.jsonl holds pair rows; b.txt holds text rows; a recipe reads one type")


def test_parts_without_rows():
    rows = Files("b.txt,c.txt", broken="skip").pipe(DropDuplicates()).load()
    assert len(rows) == 1 and "c.txt: the file is empty" in rows.info.description
    assert "holds no row" in told(Files("c.txt", broken="skip").pipe(DropDuplicates()))


def test_what_is_left_out_is_told_after_the_steps():
    with open("a.jsonl", "a") as out:
        out.write("\n{broken\n")
    rows = Files("a.jsonl", broken="skip").pipe(DropDuplicates()).load()
    assert (
        "a.jsonl: 1 left out as broken: a.jsonl:2; the first: a.jsonl:2, column 2: broken JSON" in rows.info.description
    )
