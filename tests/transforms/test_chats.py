"""Steps for conversations: their order, what was asked before, answers that are the same, transcripts read as messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import (
    DropDuplicates,
    DropSameAnswers,
    DropSamePrompts,
    Files,
    MendChats,
    Outcome,
    ReadTranscripts,
    RecipeError,
)
from smolrecipes.cache import kept_in
from smolrecipes.transforms.turns import fault

CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}


def turns(*said: str) -> list[dict[str, Any]]:
    """`u:hello`, `a:hi`, `c:` (a call), `cc:` (two), `t:4`, `s:be kind`; other roles in full."""
    roles = {"u": "user", "a": "assistant", "c": "assistant", "cc": "assistant", "t": "tool", "s": "system"}
    found = []
    for one in said:
        mark, _, text = one.partition(":")
        calls = {"tool_calls": [CALL] * len(mark)} if mark in ("c", "cc") else {}
        found.append({"role": roles.get(mark, mark), "content": text, **calls})
    return found


def mended(*said: str, **options: Any) -> Any:
    outcome = MendChats(**options).treat({"messages": turns(*said), "tools": None, "origin": "x:1"})
    return outcome.row["messages"] if outcome.row else outcome.reasons[0], outcome.reasons


@pytest.mark.parametrize(
    "said",
    [
        ("u:hello", "a:hi"),
        ("s:be kind", "u:hello", "a:hi", "u:more", "a:yes"),
        ("u:roll", "c:"),
        ("u:roll", "c:", "t:4", "a:a four"),
        ("u:roll", "cc:", "t:4", "t:", "a:a four, and nothing"),
        ("u:roll", "c:", "t:4", "c:", "t:5", "a:nine"),
    ],
)
def test_what_is_in_order_stays(said: tuple[str, ...]) -> None:
    assert mended(*said) == (turns(*said), ())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (("u:hello",), "no answer"),
        ((), "no answer"),
        (("a:hi", "u:hello", "a:hi"), "it does not begin with the user"),
        (("a:hi",), "it does not begin with the user"),
        (("s:be kind", "a:hi"), "it does not begin with the user"),
        (("u:hello", "s:be kind", "a:hi"), "a system message that is not the first"),
        (("s:be kind", "developer:x", "u:hello", "a:hi"), "a system message that is not the first"),
        (("u:hello", "a: \n"), "an empty turn"),
        (("u:", "a:hi"), "an empty turn"),
        (("u:roll", "t:4", "a:four"), "a function's result without its call"),
        (("u:roll", "c:", "t:4", "t:5", "a:four"), "a function's result without its call"),
        (("u:roll", "c:", "a:four"), "a call without its result"),
        (("u:roll", "cc:", "t:4", "a:four"), "a call without its result"),
        (("u:roll", "c:", "t:4", "u:well?", "a:four"), "a function's result without an answer"),
        (("u:hello", "narrator:he greets", "a:hi"), "a role that is none: narrator"),
        (("u:roll", "function_call:{}", "a:hi"), "a role that is none: function_call"),
    ],
)
def test_what_cannot_be_mended_is_dropped(said: tuple[str, ...], why: str) -> None:
    assert mended(*said) == (why, (why,))


@pytest.mark.parametrize(
    ("said", "becomes", "why"),
    [
        (("human:hello", "Asistant:hi"), ("u:hello", "a:hi"), "a role is spelt as it should be"),
        (("s: ", "u:hello", "a:hi"), ("u:hello", "a:hi"), "an empty system message is left out"),
        (("u:hello", "u:there", "a:hi"), ("u:hello\n\nthere", "a:hi"), "turns of one role are joined"),
        (("u:roll", "a:I roll", "c:"), ("u:roll", "c:I roll"), "turns of one role are joined"),
        (("u:hello", "a:hi", "u:bye"), ("u:hello", "a:hi"), "turns after the last answer are cut"),
        (("u:roll", "c:", "t:4"), ("u:roll", "c:"), "turns after the last answer are cut"),
    ],
)
def test_what_is_meant_is_mended(said: tuple[str, ...], becomes: tuple[str, ...], why: str) -> None:
    assert mended(*said) == (turns(*becomes), (why,))


def test_what_is_mended_is_an_option() -> None:
    assert mended("u:hello", "u:there", "a:hi", repeated="drop")[0] == "two turns of the user in a row"
    assert mended("u:hello", "a:hi", "u:bye", unanswered="drop")[0] == "it does not end with an answer"
    kept = ("u:hello", "a:hi", "u:bye")
    assert mended(*kept, unanswered="keep") == (turns(*kept), ())
    assert mended("u:hello", unanswered="keep")[0] == "no answer"


@given(
    st.lists(
        st.sampled_from(["s:x", "s:", "u:x", "u:", "a:x", "a:", "c:", "cc:", "t:x", "bot:x", "nobody:x"]), max_size=7
    )
)
def test_what_is_left_is_in_order_and_is_not_changed_again(said: list[str]) -> None:
    found, _ = mended(*said)
    if isinstance(found, list):
        assert fault(found) == "" and found[-1]["role"] == "assistant"
        row = {"messages": found, "tools": None, "origin": "x:1"}
        again = MendChats().treat(row)
        assert (again.row, again.reasons) == (row, ())


def preference(prompt: list[Any], chosen: list[Any], rejected: list[Any]) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "tools": None, "origin": "x:1"}


def test_preferences_and_judged_rows_are_looked_at_with_their_prompts() -> None:
    good = preference(turns("u:hello"), turns("a:hi"), turns("a:no"))
    assert MendChats().treat(good) == Outcome(good)
    alone = preference([], turns("a:hi"), turns("a:no"))  # what both begin with may be nothing
    assert MendChats().treat(alone) == Outcome(alone)
    results = preference(turns("u:roll", "c:", "t:4"), turns("a:four"), turns("a:five"))
    assert MendChats().treat(results) == Outcome(results)
    twice = preference(turns("u:hello", "a:hi"), turns("a:hi"), turns("a:no"))
    assert MendChats().treat(twice).reasons == ("two turns of the assistant in a row",)
    empty = preference(turns("u:hello"), turns("a:hi"), turns("a:"))
    assert MendChats().treat(empty).reasons == ("an empty turn",)
    longer = MendChats().treat(preference(turns("u:hello"), turns("a:hi", "u:bye"), turns("bot:no")))
    assert longer.row and longer.row["chosen"] == turns("a:hi") and longer.row["rejected"] == turns("a:no")
    judged = {"prompt": turns("u:hello"), "completion": turns("u:hi"), "label": True, "tools": None, "origin": "x:1"}
    assert MendChats().treat(judged).reasons == ("no answer",)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("a:Yes.", "a:Yes.", "exact"),
        ("a:Yes, I do.", "a:Yes,  I\ndo. ", "spacing"),
        ("a:YES", "a:yes", "case"),
        ("a:yes", "a:no", ""),
        ("a:", "c:", ""),
        ("c:", "c:", "exact"),
    ],
)
def test_answers_are_the_same_up_to_what_is_asked(one: str, other: str, alike: str) -> None:
    row = preference(turns("u:?"), turns(one), turns(other))
    for option in ("case", "spacing", "exact"):
        outcome = DropSameAnswers(option).treat(row)  # type: ignore[arg-type]
        dropped = bool(alike) and ["case", "spacing", "exact"].index(option) <= ["case", "spacing", "exact"].index(
            alike
        )
        assert (outcome.row is None) is dropped, option
        endings = {"case": "but for case and spacing", "spacing": "but for spacing", "exact": "are the same"}
        assert not dropped or outcome.reasons[0].endswith(endings[alike])


def chat(asked: str, answer: str, system: str = "", tools: Any = None) -> dict[str, Any]:
    said = [f"s:{system}"] * bool(system) + [f"u:{asked}", f"a:{answer}"]
    return {"messages": turns(*said), "tools": tools, "origin": f"x:{answer}"}


def kept(rows: list[dict[str, Any]], step: DropSamePrompts, cuts: tuple[int, ...] = ()) -> list[str]:
    """The origins that are kept, the rows cut into shards at these places."""
    ends = [0, *cuts, len(rows)]
    shards = [rows[a:b] for a, b in zip(ends, ends[1:])]
    known = step.decide([step.survey(shard) for shard in shards])
    outcomes = [one for shard, facts in zip(shards, known, strict=True) for one in step.apply(shard, facts)]
    return [row["origin"] for row, one in zip(rows, outcomes, strict=True) if one.row is not None]


def test_of_rows_that_ask_the_same_the_first_is_kept_whatever_the_shards() -> None:
    rows = [chat("What is it?", "1"), chat("what is IT", "2"), chat("And now?", "3"), chat("What is it?", "4")]
    for cuts in ((), (1,), (1, 2, 3), (0, 4)):
        assert kept(rows, DropSamePrompts(), cuts) == ["x:1", "x:3"]
    pairs = [{"source": "a", "target": str(n), "origin": f"x:{n}"} for n in range(2)]
    assert kept(pairs, DropSamePrompts()) == ["x:0"]


def test_the_context_may_make_it_another_question() -> None:
    one, other = [{"type": "function", "function": {"name": name}} for name in ("roll", "toss")]
    rows = [chat("Go", "1", tools=[one]), chat("Go", "2", tools=[other]), chat("Go", "3", "be kind", tools=[one])]
    rows.append(chat("go!", "4", "Be kind.", tools=[one]))
    assert kept(rows, DropSamePrompts()) == ["x:1"]
    assert kept(rows, DropSamePrompts(context=True)) == ["x:1", "x:2", "x:3"]


ROLL = {"name": "roll", "description": "Rolls a die.", "parameters": {"type": "object", "properties": {"sides": {}}}}
TOSS = {"name": "toss", "description": "Tosses a coin.", "parameters": {}}
PHRASE = "You are a clerk with access to the following functions. Use them if required -"
SYSTEM = f"SYSTEM: {PHRASE}\n{json.dumps(ROLL, indent=4)}\n\n{json.dumps(TOSS)}\n"
END = "<|endoftext|>"
TALK = f"""USER: Roll for me


ASSISTANT: I do. <functioncall> {{"name": "roll", "arguments": '{{"sides": 6, "why": "it\\'s my turn"}}'}} {END}


FUNCTION RESPONSE: {{"shown": 4}}


ASSISTANT: A four. {END}


"""


def read(text: str, **options: Any) -> Any:
    outcome = ReadTranscripts(**options).treat({"text": text, "origin": "x:1"})
    return outcome.row or outcome.reasons


def test_a_transcript_with_functions_becomes_messages() -> None:
    row = read(f"{SYSTEM}\n{TALK}")
    assert row["tools"] == [{"type": "function", "function": one} for one in (ROLL, TOSS)]
    asked = {"name": "roll", "arguments": {"sides": 6, "why": "it's my turn"}}
    assert row["messages"] == [
        {"role": "system", "content": "You are a clerk."},
        {"role": "user", "content": "Roll for me"},
        {"role": "assistant", "content": "I do.", "tool_calls": [{"type": "function", "function": asked}]},
        {"role": "tool", "content": '{"shown": 4}', "name": "roll"},
        {"role": "assistant", "content": "A four."},
    ]
    assert MendChats().treat(row) == Outcome(row) and row["origin"] == "x:1"


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ('{"name": "f", "arguments": {"a": 1}}', {"a": 1}),
        ('{"name": "f", "arguments": "{\\"a\\": 1}"}', {"a": 1}),
        ('{"name": "f", "arguments": \'{"a": "x\ny"}\'}', {"a": "x\ny"}),
        ('{"name": "f", "arguments": \'{}\'}', {}),
        ('{"name": "f", "arguments": \'\'}', {}),
        ('{"name": "f"}', {}),
        ('{"name": "f", "parameters": {"a": [{}]}}', {"a": [{}]}),
    ],
)
def test_calls_are_read_however_their_arguments_are_written(written: str, arguments: dict[str, Any]) -> None:
    row = read(f"USER: go\nASSISTANT: <functioncall> {written}{END}")
    assert row["messages"][1]["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": arguments}}]


@given(st.dictionaries(st.text(max_size=6), st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.none())))
def test_arguments_in_single_quotes_come_back(arguments: dict[str, Any]) -> None:
    """As the sets write them: an apostrophe escaped, what JSON escapes as it is."""
    quoted = json.dumps(arguments).replace("'", "\\'")
    row = read(f'USER: go\nASSISTANT: <functioncall> {{"name": "f", "arguments": \'{quoted}\'}} {END}')
    assert row["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments


def test_several_calls_and_functions_in_a_list_are_read() -> None:
    system = f"SYSTEM: {PHRASE} {json.dumps([ROLL, TOSS])}"
    both = '<functioncall> {"name": "roll", "arguments": {}} <functioncall> {"name": "toss", "arguments": {}}'
    row = read(
        f"{system}\nUSER: go\nASSISTANT: {both}\nFUNCTION RESPONSE: 4\nFUNCTION RESPONSE: heads\nASSISTANT: done"
    )
    assert len(row["tools"]) == len(row["messages"][2]["tool_calls"]) == 2
    assert [turn.get("name") for turn in row["messages"][3:]] == [None, None, None]
    plain = read("SYSTEM: You are a clerk, with no access to external functions.\nUSER: hello\nASSISTANT: hi")
    assert plain["messages"][0]["content"] == "You are a clerk, with no access to external functions."
    assert plain["tools"] is None


def test_markers_are_an_option() -> None:
    marks = {"### Human:": "user", "### Assistant:": "assistant"}
    text = "Two people talk.\n### Human: hello\n### Assistant: hi\nUSER: as text\n### Human: bye</s>"
    assert read(text, markers=marks)["messages"] == turns(
        "s:Two people talk.", "u:hello", "a:hi\nUSER: as text", "u:bye"
    )
    line = "Human: hello AI: hi Human: bye AI: well"
    marks = {"Human:": "user", "AI:": "assistant"}
    assert read(line, markers=marks)["messages"] == turns("u:hello AI: hi Human: bye AI: well")
    assert read(line, markers=marks, anywhere=True)["messages"] == turns("u:hello", "a:hi", "u:bye", "a:well")
    with pytest.raises(RecipeError, match=r"ReadTranscripts.markers: 'A:' is of 'bot'; it can be system, user"):
        ReadTranscripts({"A:": "bot"})
    with pytest.raises(RecipeError, match="name at least those of the user and of the assistant"):
        ReadTranscripts({"A:": "user"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Just a text.", "there is no marker in it"),
        (f"SYSTEM: {PHRASE} {{broken\nUSER: go\nASSISTANT: no", "its functions cannot be read"),
        (f"SYSTEM: {PHRASE} {{}}\nUSER: go\nASSISTANT: no", "its functions cannot be read"),
        ('USER: go\nASSISTANT: <functioncall> {"name": 1, "arguments": {}}', "a call cannot be read"),
        ('USER: go\nASSISTANT: <functioncall> {"name": "f", "arguments": [1]}', "a call cannot be read"),
        ('USER: go\nASSISTANT: <functioncall> {"name": "f", "arguments": \'{"a": \'}', "a call cannot be read"),
        ('USER: go\nASSISTANT: <functioncall> {"name": "f"} and more', "a call cannot be read"),
    ],
)
def test_what_cannot_be_read_is_dropped_or_stops(text: str, why: str) -> None:
    assert read(text) == (why,)
    with pytest.raises(RecipeError, match=f"^x:1: {why}; mend it, or drop such rows"):
        read(text, unreadable="stop")


def test_a_file_of_two_columns_goes_through_all_steps(tmp_path: Path) -> None:
    """As function-calling sets lie on disk; what is said of it counts what each step did."""
    rows = [{"system": SYSTEM, "chat": TALK}, {"system": SYSTEM, "chat": TALK}]
    rows += [{"system": SYSTEM, "chat": "ASSISTANT: first"}, {"system": "", "chat": "none"}]
    file = tmp_path / "talks.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    source = Files(str(file), columns={"text": "{{ system }}\n\n{{ chat }}"})
    with kept_in(tmp_path / "cache"):
        loaded = source.pipe(ReadTranscripts(), MendChats(), DropSamePrompts()).load()
    assert loaded["origin"][:] == ["talks.json:1"] and loaded[0]["tools"][0]["function"] == ROLL
    assert loaded.info.description.splitlines()[1:] == [
        "read_transcripts: 3 of 4 rows, 3 changed",
        "mend_chats: 2 of 3 rows",
        "drop_same_prompts: 1 of 2 rows",
    ]


@pytest.mark.parametrize(("alike", "left"), [("words", 1), ("case", 3), ("spacing", 4), ("exact", 5)])
def test_signs_count_where_they_are_asked_to(alike, left):
    asked = ("I use C", "I use C++", "i use c++", "I use  C++", "I use C#")
    rows = [{"source": text, "target": "ok", "origin": f"x:{i}"} for i, text in enumerate(asked)]
    texts = [{"text": row["source"], "origin": row["origin"]} for row in rows]
    for step, some in ((DropSamePrompts(alike=alike), rows), (DropDuplicates(alike=alike), texts)):
        (known,) = step.decide([step.survey(some)])
        assert sum(outcome.row is not None for outcome in step.apply(some, known)) == left
