"""Row types, conversions between them, and the held-out split."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes.data.rows import convert, make, prompt_key, row_type, texts
from smolrecipes.data.split import split, split_last
from smolrecipes.data.toy import Toy
from smolrecipes.errors import RecipeError

USER = {"role": "user", "content": "Hi"}
YES = {"role": "assistant", "content": "Yes."}
NO = {"role": "assistant", "content": "No."}
ROWS = {
    "text": {"text": "a"},
    "pair": {"source": "a", "target": "b"},
    "labelled": {"text": "a", "label": 1},
    "messages": {"messages": [USER, YES], "tools": None},
    "preference": {"prompt": [USER], "chosen": [YES], "rejected": [NO], "tools": None},
    "judged": {"prompt": [USER], "completion": [YES], "label": False, "tools": None},
}


@pytest.mark.parametrize("kind", ROWS)
def test_what_is_made_comes_back(kind):
    row = {**ROWS[kind], "origin": "x.jsonl:1"}
    rows = make(kind, [row], "said")
    assert row_type(rows) == kind and rows[0] == row and rows.info.description == "said"
    assert row_type(make(kind, [])) == kind


def test_labelled_texts():
    row = {"texts": ["a", "b"], "label": "same", "origin": "x:1"}
    assert make("labelled", [row])[0] == row


def test_convert():
    pairs = make("pair", [{**ROWS["pair"], "origin": "x.jsonl:1"}])
    same, said = convert(pairs, ("pair", "messages"), "Seq2Seq")
    assert same is pairs and said == ""
    chats, said = convert(pairs, ("messages",), "SFT")
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert chats[0] == {"messages": turns, "tools": None, "origin": "x.jsonl:1"}
    assert said == "each pair is read as a question and the assistant's answer"
    plain, said = convert(make("labelled", [{**ROWS["labelled"], "origin": "x:1"}]), ("text",), "CLM")
    assert plain[0] == {"text": "a", "origin": "x:1"} and "labels are not used" in said


def test_convert_refuses_what_is_not_obvious():
    rows = make("text", [{"text": "a", "origin": "prefs.jsonl:1"}])
    with pytest.raises(RecipeError) as caught:
        convert(rows, ("preference",), "ORPO")
    assert str(caught.value) == (
        "prefs.jsonl holds text rows; ORPO needs prompt, chosen and rejected; map columns with "
        'data.columns={"prompt": "...", "chosen": "...", "rejected": "..."}, or take other data'
    )


def test_answers_judged_singly_are_for_kto():
    judged = make("judged", [{**ROWS["judged"], "origin": "a.jsonl:1"}])
    assert convert(judged, ("preference", "judged"), "KTO") == (judged, "")
    with pytest.raises(RecipeError, match="a.jsonl holds judged rows; DPO needs .*; answers .* for objective=kto$"):
        convert(judged, ("preference",), "DPO")
    with pytest.raises(RecipeError, match=r'objective=kto; data\.columns=\{"source": "prompt", .*reads good and bad'):
        convert(judged, ("messages",), "SFT")


@pytest.mark.parametrize(
    ("wanted", "mend"),
    [
        (("preference",), "take data=toy:preferences, or data of your own"),
        (("messages",), "take data=toy:chat or data=toy:dictation or data=toy:functions, or data of your own"),
        (
            ("pair", "labelled"),
            "take data=toy:translations or data=toy:reviews or data=toy:paraphrases or data=toy:similarity, or data of your own",
        ),
        (("tagged", "question"), "take data=toy:names or data=toy:reading, or data of your own"),
    ],
)
def test_a_toy_that_does_not_fit_names_those_that_do(wanted, mend):
    rows = make("text", [{"text": "a", "origin": "toy:stories:0"}])
    with pytest.raises(RecipeError) as caught:
        convert(rows, wanted, "X")
    assert str(caught.value).endswith(f"; {mend}")
    for word in re.findall(r"data=toy:(\w+)", mend):
        assert convert(Toy(word, rows=2).load(), wanted, "X")[1] == ""


def test_prompt_key():
    assert prompt_key({"text": "So, it  IS!"}) == prompt_key({"text": "so it is"})
    assert prompt_key({"text": "?!"}) == "?!"
    system = {"role": "system", "content": "S"}
    assert prompt_key({"messages": [system, USER, YES, NO]}) == prompt_key({"messages": [USER, NO]}) == "hi"
    assert prompt_key(ROWS["preference"]) == prompt_key(ROWS["judged"]) == "hi"
    assert prompt_key({**ROWS["judged"], "prompt": []}) == "yes"
    assert set(texts(ROWS["judged"])) == {"Hi", "Yes."}
    assert prompt_key({"texts": ["a", "b"], "label": 1}) == prompt_key({"texts": ["b", "a"], "label": 0})
    assert prompt_key({"prompt": [], "chosen": [YES], "rejected": [NO]}) == "yes"


def test_texts():
    call = {"type": "function", "function": {"name": "f", "arguments": {"città": "Roma"}}}
    row = {"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [call]}], "tools": [{"name": "f"}]}
    found = texts(row)
    assert found[0] == "Hi" and "città" in found[1] and found[2] == '{"name": "f"}'
    assert texts(ROWS["pair"]) == ["a", "b"] and texts(ROWS["preference"]) == ["Hi", "Yes.", "No."]


def text_rows(found):
    return make("text", [{"text": text, "origin": f"x:{i}"} for i, text in enumerate(found)])


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=40),
    st.floats(0.001, 0.99) | st.integers(1, 20),
    st.integers(0, 3),
)
def test_split_keeps_equal_texts_together_and_every_row(found, share, seed):
    rows = text_rows(found)
    try:
        train, held = split(rows, share, seed)
    except RecipeError:
        assert len(set(found)) == 1 or share >= len(found)
        return
    assert train and held
    assert not set(train["text"]) & set(held["text"])
    order = sorted(train["origin"][:] + held["origin"][:], key=lambda origin: int(origin[2:]))
    assert order == rows["origin"][:]
    assert train["origin"][:] == [origin for origin in rows["origin"] if origin in set(train["origin"])]


def test_split_hits_the_target_and_depends_on_the_seed_not_on_the_order():
    found = [f"text {i}" for i in range(500)]
    train, held = split(text_rows(found), 0.02, 0)
    assert (len(train), len(held)) == (490, 10)
    assert set(split(text_rows(found[::-1]), 0.02, 0)[1]["text"]) == set(held["text"])
    assert set(split(text_rows(found), 0.02, 1)[1]["text"]) != set(held["text"])
    assert len(split(text_rows(found), 7, 0)[1]) == 7


def test_split_of_nothing_and_refusals():
    train, held = split(text_rows("aab"), 0, 0)
    assert (len(train), len(held)) == (3, 0)
    for found, share, part in (("aaa", 0.5, "same prompt"), ("abc", 3, "leaves none"), ("abc", 1.5, "whole number")):
        with pytest.raises(RecipeError, match=part):
            split(text_rows(found), share, 0)


@settings(max_examples=100)
@given(st.lists(st.text("ab \n", max_size=9), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_the_last_share_of_text_is_of_its_characters(found, share):
    text = "".join(found)
    border = int((1 - share) * len(text))
    if not border or not text:
        with pytest.raises(RecipeError, match="leaves nothing"):
            split_last(text_rows(found), share)
        return
    train, held = split_last(text_rows(found), share)
    assert ("".join(train["text"]), "".join(held["text"])) == (text[:border], text[border:])
    assert all(train["text"][:] + held["text"][:])
    for side in (train, held):  # a piece still says where it came from
        assert all(row["text"] in found[int(row["origin"][2:])] for row in side)


def test_the_last_tenth_of_one_document_and_the_last_rows():
    train, held = split_last(text_rows(["x" * 89 + "y" * 11]), 0.1)
    assert (train["text"][:], held["text"][:]) == (["x" * 89 + "y"], ["y" * 10])
    train, held = split_last(text_rows("abcde"), 2)
    assert (train["text"][:], held["text"][:]) == (["a", "b", "c"], ["d", "e"])
    pairs = make("pair", [{"source": "a", "target": str(i), "origin": f"x:{i}"} for i in range(10)])
    assert split_last(pairs, 0.2)[1]["target"][:] == ["8", "9"]  # though all ask the same
    with pytest.raises(RecipeError, match="leaves none"):
        split_last(pairs.select([0]), 0.5)


def test_split_does_not_depend_on_the_hash_seed():
    code = (
        "from smolrecipes.data.split import _held;"
        "print(_held({f't{i}': [2 * i, 2 * i + 1] for i in range(99)}, 8, 0), len({'a', 'b'}))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
