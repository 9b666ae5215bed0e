"""What own data is recognised as, and what is said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smolrecipes.data.recognise import recognise
from smolrecipes.data.rows import COLUMNS, make
from smolrecipes.errors import RecipeError

USER = {"role": "user", "content": "Hi"}
YES = {"role": "assistant", "content": "Yes."}
NO = {"role": "assistant", "content": "No."}


def read(*rows: dict[str, Any], **columns: str) -> tuple[str, str, list[dict[str, Any]]]:
    """The row type, the sentence and the canonical rows without their origin."""
    named = [(f"x.jsonl:{i}", row) for i, row in enumerate(rows, 1)]
    shape = recognise(named, "x.jsonl", columns)
    made = make(shape.rows, (shape.convert(row, origin) for origin, row in named))
    return shape.rows, shape.sentence(), [{k: v for k, v in row.items() if k != "origin"} for row in made]


def refused(*rows: dict[str, Any], **columns: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read(*rows, **columns)
    return str(caught.value)


def test_text_by_its_name_or_because_there_is_no_other():
    assert read({"text": "a"}) == ("text", "text", [{"text": "a"}])
    assert read({"id": 7, "story": "a"}) == ("text", "story, read as text; id ignored", [{"text": "a"}])
    assert read({"whatever": "a"})[0] == "text"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("prompt", "completion"),
        ("question", "answer"),
        ("source", "target"),
        ("instruction", "output"),
        ("input", "output"),
    ],
)
def test_pairs(source, target):
    kind, said, rows = read({source: "a", target: "b"})
    assert (kind, said) == ("pair", f"{source} and {target}, read as pairs")
    assert rows == [{"source": "a", "target": "b"}]


def test_alpaca_puts_the_input_below_the_instruction():
    kind, said, rows = read(
        {"instruction": "Add.", "input": "1 and 2", "output": "3"},
        {"instruction": "Greet.", "input": "", "output": "Hi"},
    )
    assert (kind, said) == ("pair", "instruction, input and output, read as pairs")
    assert [row["source"] for row in rows] == ["Add.\n\n1 and 2", "Greet."]


def test_a_system_prompt_makes_a_conversation():
    kind, _, rows = read(
        {"system": "Be brief.", "question": "a", "answer": "b"}, {"system": "", "question": "c", "answer": "d"}
    )
    assert kind == "messages"
    assert [[turn["role"] for turn in row["messages"]] for row in rows] == [
        ["system", "user", "assistant"],
        ["user", "assistant"],
    ]


def test_messages_keep_their_keys_and_get_no_others():
    turns = [USER, {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}]
    assert read({"messages": turns}) == (
        "messages",
        "messages, read as conversations",
        [{"messages": turns, "tools": None}],
    )


def test_conversational_prompt_and_completion():
    kind, _, rows = read({"prompt": [USER], "completion": [YES]})
    assert (kind, rows[0]["messages"]) == ("messages", [USER, YES])


def test_answers_judged_singly():
    asked, said = [{"role": "user", "content": "Hi"}], [{"role": "assistant", "content": "Yes."}]
    plain = {"prompt": "Hi", "completion": "Yes."}
    expected = {"prompt": asked, "completion": said, "tools": None}
    kind, phrase, rows = read({**plain, "label": True}, {"prompt": asked, "completion": said, "label": False})
    assert (kind, phrase) == ("judged", "prompt, completion and label, read as answers judged singly")
    assert rows == [{**expected, "label": True}, {**expected, "label": False}]
    kind, _, rows = read({"system": "Be brief.", **plain, "label": True})
    assert kind == "judged" and [turn["role"] for turn in rows[0]["prompt"]] == ["system", "user"]
    alike = {"source": "prompt", "target": "completion"}
    assert read({**plain, "label": True}, **alike)[0] == "pair", "good and bad alike, when asked"
    assert read({**plain, "label": 1})[0] == "pair"
    assert read({"q": "Hi", "a": "Yes.", "good": True}, prompt="q", completion="a", label="good")[0] == "judged"


def test_sharegpt_with_calls():
    call = '{"name": "add", "arguments": {"a": 1}}'
    turns = [("system", "S"), ("human", "H"), ("function_call", call), ("observation", "1"), ("gpt", "G")]
    tool = {"name": "add", "parameters": {}}
    kind, said, rows = read(
        {"conversations": [{"from": who, "value": what} for who, what in turns], "tools": json.dumps([tool])}
    )
    assert (kind, said) == ("messages", "conversations and tools, read as conversations")
    assert [turn["role"] for turn in rows[0]["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert rows[0]["messages"][2]["tool_calls"] == [
        {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    ]
    assert rows[0]["tools"] == [{"type": "function", "function": tool}]


@pytest.mark.parametrize(
    "call",
    [
        {"type": "function", "function": {"name": "f", "arguments": {"x": 0.7}}},
        {"function": {"name": "f", "arguments": '{"x": 0.7}'}},
        {"name": "f", "arguments": {"x": 0.7}},
    ],
)
def test_tool_calls_have_one_form_and_exact_numbers(call):
    turn = read({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [call]}]})[2][0]["messages"][1]
    assert turn["content"] == ""
    assert turn["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": {"x": 0.7}}}]


def test_a_null_argument_stays():
    call = {"name": "f", "arguments": {"x": None}}
    turn = read({"messages": [USER, {"role": "assistant", "tool_calls": [call]}]})[2][0]["messages"][1]
    assert turn["tool_calls"][0]["function"]["arguments"] == {"x": None}


def test_openai_function_call():
    asked = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    turns = read({"messages": [USER, asked, {"role": "function", "name": "f", "content": "1"}]})[2][0]["messages"]
    assert turns[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": {}}
    assert turns[2] == {"role": "tool", "content": "1", "name": "f"}


def test_preference_explicit_plain_and_conversational():
    wanted = [{"prompt": [USER], "chosen": [YES], "rejected": [NO], "tools": None}]
    plain = read({"prompt": "Hi", "chosen": "Yes.", "rejected": "No."})
    assert plain == ("preference", "prompt, chosen and rejected, read as preferences", wanted)
    assert read({"prompt": [USER], "chosen": [YES], "rejected": [NO]})[2] == wanted
    assert read({"question": "Hi", "chosen": YES, "rejected": NO})[2] == wanted
    assert read({"prompt": "Hi", "chosen": [USER, YES], "rejected": [USER, NO]})[2] == wanted


def test_preference_with_a_system_prompt():
    row = read({"system": "S", "prompt": "Hi", "chosen": "Yes.", "rejected": "No."})[2][0]
    assert row["prompt"] == [{"role": "system", "content": "S"}, USER]


def test_preference_implicit():
    wanted = [{"prompt": [USER], "chosen": [YES], "rejected": [NO], "tools": None}]
    said = "chosen and rejected, read as preferences (the prompt is what both begin with)"
    assert read({"chosen": [USER, YES], "rejected": [USER, NO]}) == ("preference", said, wanted)
    dialogue = "\n\nHuman: Hi\n\nAssistant: "
    assert read({"chosen": f"{dialogue}Yes.", "rejected": f"{dialogue}No."})[2] == wanted


def test_preference_implicit_plain_cuts_at_a_border():
    row = read({"chosen": "Is it so? It is.", "rejected": "Is it so? It is not."})[2][0]
    assert row["prompt"] == [{"role": "user", "content": "Is it so?"}]
    assert [row[side][0]["content"] for side in ("chosen", "rejected")] == ["It is.", "It is not."]
    row = read({"chosen": "The cat", "rejected": "The dog"})[2][0]
    assert row["prompt"] == [] and row["chosen"][0]["content"] == "The cat"


def test_labels():
    assert read({"sentence": "a", "label": 1, "idx": 3}) == (
        "labelled",
        "sentence and label, read as labelled text; idx ignored",
        [{"text": "a", "label": 1}],
    )
    assert read({"text": "a", "label": "good"})[2] == [{"text": "a", "label": "good"}]
    assert read({"text": "a", "label": "1"}, {"text": "b", "label": "0"})[2][0]["label"] == 1
    assert read({"premise": "a", "hypothesis": "b", "label": 2})[2] == [{"texts": ["a", "b"], "label": 2}]
    assert read({"text": "a", "label": True})[2] == [{"text": "a", "label": 1}]


def test_two_types_the_first_in_order_wins_and_the_rest_is_said():
    kind, said, _ = read({"text": "a", "messages": [USER, YES]})
    assert (kind, said) == ("messages", "messages, read as conversations; text ignored")
    kind, said, rows = read({"text": "a", "messages": [USER, YES]}, text="text")
    assert (kind, said, rows) == ("text", "text; messages ignored", [{"text": "a"}])


def test_columns_map_names_and_templates():
    row = {"head": "H", "body": "B", "good": "Yes.", "bad": "No.", "none": None}
    assert read(row, text="{{ head }}\n{{ body }}")[2] == [{"text": "H\nB"}]
    assert read(row, source="head", target="{{ body | lower }}")[2] == [{"source": "H", "target": "b"}]
    assert read(row, user="head", assistant="body", system="S: {{ good }}")[2][0]["messages"][0]["content"] == "S: Yes."
    assert read(row, prompt="head", chosen="good", rejected="bad")[0] == "preference"
    assert read(row, text="{{ head }}{{ none }}!")[2] == [{"text": "H!"}]
    assert read(row, text="{{ row['head'] }}")[2] == [{"text": "H"}]


@pytest.mark.parametrize(
    ("row", "columns", "part"),
    [
        ({"a": "x", "b": "y"}, {}, 'data.columns={"source": "a", "target": "b"}'),
        ({"a": "x", "b": "y"}, {}, "found: a (text), b (text)"),
        ({"n": 1}, {}, "needed: text;"),
        ({}, {}, "found: no columns"),
        ({"text": "x"}, {"txet": "text"}, "did you mean 'text'?"),
        ({"question": "x", "answer": "y"}, {"source": "qestion", "target": "answer"}, "did you mean 'question'?"),
        ({"question": "x", "answer": "y"}, {"source": "question", "label": "answer"}, "no row type reads just these"),
        (
            {"head": "x"},
            {"text": "{{ haed }}"},
            "x.jsonl:1: data.columns: 'text': 'haed' is undefined; did you mean 'head'?",
        ),
        ({"head": "x"}, {"text": "{{ head"}, "is broken"),
        ({"head": "x"}, {"text": "{{ head / 2 }}"}, "the template fails"),
        ({"head": "x"}, {"text": "{{ ''.__class__.__mro__ }}"}, "x.jsonl:1"),
    ],
)
def test_what_is_not_recognised_says_what_to_do(row, columns, part):
    assert part in refused(row, **columns)


def test_what_is_advised_for_a_row_without_its_column_works():
    """As it is written there, for a row in which the column is null, and for one that has none."""
    for bad in ({}, {"text": None}):
        message = refused({"text": "a"}, bad)
        assert message.startswith("x.jsonl:2: text is missing; mend the row, remove it, or read it as empty: ")
        columns = json.loads(message.partition("data.columns=")[2].rstrip("'"))
        assert read({"text": "a"}, bad, **columns)[2] == [{"text": "a"}, {"text": ""}]
    assert refused({"body": "a"}, {}) == "x.jsonl:2: body is missing; mend the row, or remove it"  # no column to map


GOOD = {"messages": [USER, YES]}


@pytest.mark.parametrize(
    ("good", "bad", "part"),
    [
        ({"text": "a"}, {"text": 3}, "x.jsonl:3: text should be text, not 3"),
        ({"text": "a"}, {"text": None}, "x.jsonl:3: text is missing"),
        ({"text": "a"}, {"other": "a"}, "x.jsonl:3: text is missing"),
        ({"text": "a"}, {"text": "\ud800"}, "x.jsonl:3: text holds a lone surrogate"),
        ({"question": "a", "answer": "b"}, {"question": "a"}, "x.jsonl:3: answer is missing"),
        ({"text": "a", "label": 1}, {"text": "a", "label": [1]}, "x.jsonl:3: label should be a class"),
        ({"text": "a", "label": 1}, {"text": "a", "label": "good"}, "some are text"),
        (
            {"prompt": "a", "completion": "b", "label": True},
            {"prompt": "a", "completion": "b", "label": 1},
            "x.jsonl:3: label should be true or false, not 1",
        ),
        (GOOD, {"messages": []}, "x.jsonl:3: messages holds no message; add some, or remove the row"),
        (GOOD, {"messages": [{"role": "asistant", "content": ""}]}, "did you mean 'assistant'?"),
        (
            GOOD,
            {"messages": [USER, {"role": "assistant", "content": 1}]},
            "x.jsonl:3: messages[1].content should be text",
        ),
        (GOOD, {"messages": [{**USER, "tool_calls": [{"name": "f"}]}]}, "only the assistant calls tools"),
        (
            GOOD,
            {"messages": [USER, {"role": "assistant", "tool_calls": [{"name": "f", "arguments": '{"a": '}]}]},
            "x.jsonl:3: messages[1].tool_calls[0].arguments is broken JSON",
        ),
        (
            GOOD,
            {"messages": [USER, {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"n": 10**30}}]}]},
            "x.jsonl:3: messages holds a value that cannot be stored exactly",
        ),
        ({**GOOD, "tools": "[]"}, {**GOOD, "tools": "[{"}, "x.jsonl:3: tools is broken JSON"),
    ],
)
def test_bad_values_name_the_line(good, bad, part):
    assert part in refused(good, good, bad)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "x"]), "content": st.text(max_size=5) | json_values},
        optional={"tool_calls": json_values, "from": json_values, "value": json_values},
    ),
    max_size=3,
)
column_names = st.sampled_from(
    [
        "text",
        "label",
        "messages",
        "conversations",
        "chosen",
        "rejected",
        "prompt",
        "completion",
        "tools",
        "system",
        "input",
    ]
)
json_rows = st.lists(
    st.dictionaries(column_names | st.text(max_size=5), json_values | st.text(max_size=9) | turns, max_size=4),
    max_size=4,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(json_rows)
def test_any_rows_are_rows_or_one_sentence(rows):
    try:
        kind, _, made = read(*rows)
    except RecipeError:
        return
    assert kind in COLUMNS and len(made) == len(rows)


@pytest.mark.parametrize("number", [0.7, 2.675, -2.4032395674197744, 45.46427319999999, 1e-7, 1e300, 3.0, 2**63 - 1])
def test_a_number_comes_back_exactly(number):
    turn = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": number}}]}
    read_back = read({"messages": [USER, turn]})[2][0]["messages"][1]["tool_calls"][0]["function"]["arguments"]["x"]
    assert read_back == number and type(read_back) is type(number)


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_numbers_come_back_exactly(arguments):
    turn = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": arguments}]}
    try:
        made = read({"messages": [USER, turn]})[2]
    except RecipeError:  # a decimal that no spelling brings back is refused, not rounded
        return
    assert made[0]["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments


def test_a_few_odd_rows_do_not_make_a_file_another_type():
    many = [{"text": f"line {number}"} for number in range(100)]
    chat = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    assert refused(*many, chat).startswith("x.jsonl:101: text is missing; ")
    assert "messages is missing" in refused(*[chat] * 3, {"text": "a"})
