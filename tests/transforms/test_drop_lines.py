"""DropLines: which lines go, what is left of a text, and what is frequent in a corpus of several shards."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import DropLines, Files, Outcome, RecipeError

Row = dict[str, Any]
LINES = st.sampled_from(["", " ", "home", "Home ", "a b c d e", "one two", "}", "-- 12", "last words of all"])


def row(text: str, origin: str = "a:1") -> Row:
    return {"text": text, "origin": origin}


def cut(text: str, **options: Any) -> tuple[str | None, tuple[str, ...]]:
    (outcome,) = through([[row(text)]], **options)
    return (outcome.row["text"] if outcome.row else None), outcome.reasons


def through(shards: list[list[Row]], **options: Any) -> list[Any]:
    step = DropLines(**options)
    known = step.decide([step.survey(iter(shard)) for shard in shards])
    return [one for shard, facts in zip(shards, known, strict=True) for one in step.apply(iter(shard), facts)]


@pytest.mark.parametrize(
    ("options", "before", "after", "reason"),
    [
        ({"least": 3}, "Home\nThis is a line.\nOne two", "This is a line.", "lines of fewer than 3 words are cut"),
        ({"matching": (r"^\s*\|",)}, "A line.\n | x | y |\n", "A line.\n", r"lines with ^\s*\| are cut"),
        ({"matching": ("^Share$",)}, "Share\r\nA line.\r\n", "A line.\r\n", "lines with ^Share$ are cut"),
        ({"notices": True}, "Please enable JavaScript.\r\nA line.\r\n", "A line.\r\n", "notices are cut"),
    ],
)
def test_what_is_cut(options: dict[str, Any], before: str, after: str, reason: str) -> None:
    assert cut(before, **options) == (after, (reason,))


@pytest.mark.parametrize(
    ("line", "goes"),
    [
        ("We use cookies to give you the best experience.", True),
        ("JavaScript is disabled: please turn it on", True),
        ("Accept all cookies", True),
        ("Read our Privacy Policy and the terms of use.", True),
        ("JavaScript was written in ten days.", False),
        ("She ate three cookies and left.", False),
        ("His policy was to wait.", False),
    ],
)
def test_a_notice_is_told_from_a_sentence(line: str, goes: bool) -> None:
    assert (cut(f"First line.\n{line}", notices=True)[0] == "First line.") is goes


def test_empty_lines_stay_but_not_two_where_a_line_was_cut() -> None:
    assert cut("A long line.\n\nHome\n\nA long line.", least=2)[0] == "A long line.\n\nA long line."
    assert cut("Home\n\nA long line.\n\n\nA long line.\n\nHome", least=2)[0] == "A long line.\n\n\nA long line."


def test_every_reason_is_told_once() -> None:
    text, reasons = cut("x\ny\nwe use cookies here\nA line to keep.", least=2, notices=True)
    assert text == "A line to keep." and reasons == ("lines of fewer than 2 words are cut", "notices are cut")


def test_a_row_of_which_nothing_is_left_is_dropped() -> None:
    assert cut("Home\nAbout", least=2) == (None, ("no line of a text is left",))
    turns = [{"role": "user", "content": "Say it all now."}, {"role": "assistant", "content": "No"}]
    (outcome,) = through([[{"messages": turns, "tools": None, "origin": "a:1"}]], least=2)
    assert outcome == Outcome(None, ("no line of a text is left",))
    assert cut("", least=2) == ("", ())


def test_texts_that_others_point_into_stay() -> None:
    question = {
        "question": "Who?",
        "context": "Anna\nis here",
        "answers": {"text": [], "answer_start": []},
        "origin": "a:1",
    }
    assert through([[question]], least=2)[0].row == question


def test_a_line_is_frequent_by_rows_and_not_by_its_number_in_one() -> None:
    shards = [[row("Chorus\nfirst verse\nChorus\nChorus")], [row("second verse\nchorus  ")], [row("last verse")]]
    assert [one.row["text"] for one in through(shards, repeated=2)] == ["first verse", "second verse", "last verse"]
    assert [one.row["text"] for one in through(shards, repeated=3)] == [shard[0]["text"] for shard in shards]


def test_lines_without_a_letter_are_never_frequent() -> None:
    shards = [[row(f"line {n}\n}}\n---")] for n in range(5)]
    assert [one.row["text"] for one in through(shards, repeated=2)] == [f"line {n}\n}}\n---" for n in range(5)]


@given(st.lists(st.lists(st.lists(LINES, max_size=5), max_size=4), min_size=1, max_size=3), st.integers(2, 4))
def test_repeated_is_a_count_over_all_rows_wherever_they_lie(corpus: list[list[list[str]]], repeated: int) -> None:
    rows = [[row("\n".join(lines)) for lines in shard] for shard in corpus]
    counts = Counter(
        key for shard in corpus for lines in shard for key in {" ".join(line.lower().split()) for line in lines}
    )
    outcomes = iter(through(rows, repeated=repeated))
    for lines in (lines for shard in corpus for lines in shard):
        outcome = next(outcomes)
        stay = [
            line
            for line in lines
            if not any(map(str.isalpha, line)) or counts[" ".join(line.lower().split())] < repeated
        ]
        left = [line for line in (outcome.row["text"].split("\n") if outcome.row else []) if line.strip()]
        assert left == [line for line in stay if line.strip()] or (outcome.row is None and not "".join(stay).strip())


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_what_nothing_is_cut_from_is_as_it_was(text: str) -> None:
    assert cut(text, matching=("never there",)) == (text, ())


def test_in_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"text": f"Home | About\nThe story number {n} is told here."}) for n in range(20)]
    Path("a.jsonl").write_text("\n".join(lines))
    kept = Files("a.jsonl").pipe(DropLines(repeated=10, least=2)).load()
    assert kept["text"][:2] == ["The story number 0 is told here.", "The story number 1 is told here."]
    assert Files("a.jsonl").pipe(DropLines(least=3)).load()["text"][0].startswith("Home | About")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "it cuts nothing; set least, matching, repeated or notices"),
        ({"matching": ("a(",)}, r"'a\(' is no regular expression: missing \), unterminated subpattern at position 1"),
        ({"repeated": 1}, "repeated: should be greater than or equal to 2"),
        ({"least": 0}, "least: should be greater than 0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=f"^DropLines.*{sentence}"):
        DropLines(**options)
