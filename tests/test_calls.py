"""Calls are read as the model's own chat template writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from smolrecipes import ByteBPE, FunctionCalls, Subject, Toy
from smolrecipes.conversation.calls import Form, beside, calls, json_end, own_form
from smolrecipes.conversation.render import render
from smolrecipes.data.rows import make
from smolrecipes.decoding import Decoding

CALL = {"name": "weather", "arguments": {"city": "Rome", "days": [1, {"a": "]"}]}}
ASKED = {"role": "user", "content": "weather?"}
LISTED = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}[TOOL_CALLS][{% for c in m.tool_calls %}"
    "{{ c.function | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]{% endif %}</s>{% endfor %}"
)


def tokenizer(template: str) -> PreTrainedTokenizerBase:
    named = template in ("chatml", "llama3", "zephyr", "gemma")
    made = ByteBPE(vocab_size=300, chat_template=template if named else "chatml").build(Toy("chat", rows=20).load())
    if not named:
        made.chat_template = template
    return made


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("template", ["chatml", "llama3", "zephyr", LISTED], ids=["chatml", "llama3", "zephyr", "list"])
def test_what_a_template_writes_is_read(template: str, count: int) -> None:
    own = tokenizer(template)
    said = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}] * count}
    before, after = render([ASKED, {**said, "content": "??", "tool_calls": []}], own, None).split("??")
    answer = render([ASKED, said], own, None).removeprefix(before).removesuffix(after)
    form = own_form(own)
    assert form and calls(answer, form) == [CALL] * count
    assert calls(f"Rome is hot. {answer}"[:13], form) == []
    if form.mark:
        assert calls(f"Let me look. {answer}", form) == [CALL] * count
        assert beside(f"Let me look. {answer}", form) == "Let me look."
        assert calls(answer[: len(form.mark) + 9], form) is None


def test_a_call_whose_strings_spell_marks_ends_where_its_json_does() -> None:
    call = {"name": "wish", "arguments": {"a": '</tool_call> "<tool_call>" \\', "}": ["{"]}}
    answer = f"So: <tool_call>{json.dumps(call)}</tool_call>!"
    assert calls(answer) == [call] and calls(answer * 2) == [call, call] and beside(answer) == "So: !"
    assert json_end(f"{json.dumps(call)}</tool_call>}}") == len(json.dumps(call))
    assert json_end(json.dumps(call)[:-1]) is None


def test_bare_json_is_read_whatever_the_form_and_other_marks_are_text() -> None:
    bare = json.dumps({"name": "weather", "parameters": {"city": "Rome"}})
    named = Form("<f>", "args", "</f>", ": ", ", ")
    for form in (None, named):
        assert calls(f"[{bare}, {bare}]", form) == [{"name": "weather", "arguments": {"city": "Rome"}}] * 2
    assert calls('<f>{"name": "weather", "args": {}}</f>', named) == [{"name": "weather", "arguments": {}}]
    assert calls("<tool_call>{}</tool_call>", named) == [] and calls("<tool_call>{}</tool_call>") is None


@pytest.mark.parametrize("template", ["gemma", LISTED.replace("c.function | tojson", "'call' + c.function.arguments")])
def test_a_template_without_calls_or_that_writes_them_as_text_has_no_form(template: str) -> None:
    assert own_form(tokenizer(template)) is None


def test_function_calls_go_by_the_template_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from smolrecipes.evaluators import answers

    said = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}
    rows = make("messages", [{"messages": [ASKED, said], "origin": "x:1"}])
    monkeypatch.setattr(answers, "answered", lambda *_: [f"[TOOL_CALLS][{json.dumps(CALL)}]"])

    def score(template: str) -> Any:
        subject: Any = Subject(None, tokenizer(template), Decoding(), None, None)  # type: ignore[arg-type]
        return FunctionCalls().score(subject, rows).columns

    assert score(LISTED)["arguments"] == [1.0] and score("chatml")["arguments"] == [0.0]
