"""`smolrecipes chat`: functions, several models, what is saved and changed on the way, and a real terminal."""

from __future__ import annotations

import io
import json
import os
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import SFT, Files, LoRA, Pretrained, PretrainedTokenizer, Recipe, Training, generate, run
from smolrecipes.cli.calls import notes, read_tools, spoken, written
from smolrecipes.cli.conversation import Conversation
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.tokenizers.templates import template

WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": WEATHER}]
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'
AS_CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}


@pytest.fixture
def chats(model: Path, tmp_path: Path) -> Path:
    """The model with a template that writes functions."""
    folder = shutil.copytree(model, tmp_path / "chats")
    (folder / "chat_template.jinja").write_text(template("chatml"), encoding="utf-8")
    (tmp_path / "tools.json").write_text(json.dumps([WEATHER]), encoding="utf-8")
    return folder


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answers in the place of the model's: `scripted(text, ...)`; gives what was asked, each with its functions."""

    def prepare(*answers: str | Exception) -> list[tuple[Any, Any]]:
        asked: list[tuple[Any, Any]] = []
        waiting = list(answers)

        def stream(model: Any, tokenizer: Any, messages: Any, decoding: Any, tools: Any) -> Any:
            asked.append((messages, tools))
            answer = waiting.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            yield from re.findall(r"\S+\s*|\s+", answer)

        monkeypatch.setattr(generate, "stream", stream)
        return asked

    return prepare


@pytest.fixture
def person(cli: Any, typed: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a person sees who types these lines."""

    def say(text: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "stdin", typed(text))
        done = cli("chat", *arguments)
        assert (done.code, done.err) == (0, "")
        return str(done.out)

    return say


def test_calls_are_shown_and_what_the_person_types_as_their_result_goes_on(
    person: Any, scripted: Any, chats: Path
) -> None:
    asked = scripted(f"Let me look.\n{CALL}", "It is [red]sunny[/red].", CALL, "Fine.")
    said = person('weather?\n{"sky": 1}\nagain\n\nbye\n', str(chats), "--tools", "tools.json")
    assert '→ weather(city="Rome")\nresult of weather> It is [red]sunny[/red].\n> <tool' in said
    assert [[message["role"] for message in messages] for messages, _ in asked] == [
        ["user"],
        ["user", "assistant", "tool"],
        ["user", "assistant", "tool", "assistant", "user"],
        ["user", "assistant", "tool", "assistant", "user", "assistant", "user"],
    ]
    assert asked[1][0][1:] == [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [AS_CALL]},
        {"role": "tool", "name": "weather", "content": '{"sky": 1}'},
    ]
    assert all(tools == TOOLS for _, tools in asked)


def test_what_is_wrong_with_a_call_is_said() -> None:
    (call,) = spoken('<tool_call>{"name": "wether", "arguments": {}}</tool_call>', True)["tool_calls"]
    assert notes([call["function"]], TOOLS) == ["→ wether() (no such function is offered; did you mean 'weather'?)"]
    assert notes(None, TOOLS) == ["→ a call that cannot be read: it is no JSON with a name and arguments"]
    assert written({"name": "f", "arguments": {"a": "è", "b": [1, None]}}) == 'f(a="è", b=[1, null])'


def test_a_call_that_cannot_be_read_stays_text_and_asks_for_nothing(person: Any, scripted: Any, chats: Path) -> None:
    asked = scripted('<tool_call>{"name": "weather"', "ok")
    said = person("weather?\nhm\n", str(chats), "--tools", "tools.json")
    assert "→ a call that cannot be read" in said and "result of" not in said
    assert asked[1][0][1] == {"role": "assistant", "content": '<tool_call>{"name": "weather"'}


def test_json_is_a_call_only_where_functions_are_offered() -> None:
    bare = '{"name": "weather", "parameters": {"city": "Rome"}}'
    assert spoken(bare, False) == {"role": "assistant", "content": bare}
    assert spoken(f"{bare}\n{bare}", True)["tool_calls"] == [AS_CALL, AS_CALL]


@pytest.mark.parametrize(
    ("before", "after"),
    [("[TOOL_CALLS][", "]"), ("<function>\n", "\n</function>"), ("Call: ", ""), ("", "")],
    ids=["list", "tags", "mark", "bare"],
)
def test_calls_are_read_as_the_template_writes_them(
    person: Any, scripted: Any, chats: Path, before: str, after: str
) -> None:
    """Templates of other families, whose calls look otherwise."""
    call = "{'name': c.function.name, 'parameters': c.function.arguments} | tojson"
    written = f"{{{{ {before!r} + {call} + {after!r} }}}}"
    calls = f"{{% for c in m.tool_calls or [] %}}{written}{{% endfor %}}"
    turns = f"{{% for m in messages %}}<{{{{ m.role }}}}>{{{{ m.content }}}}{calls}</s>{{% endfor %}}"
    (chats / "chat_template.jinja").write_text(f"{{{{ tools }}}}{turns}<assistant>", encoding="utf-8")
    said = f'{before}{{"name": "weather", "parameters": {{"city": "Rome"}}}}{after}'
    asked = scripted(f"Look. {said}" if before else said, "Fine.")
    assert '→ weather(city="Rome")' in person("weather?\nsun\n", str(chats), "--tools", "tools.json")
    message = {"role": "assistant", "content": "Look." if before else "", "tool_calls": [AS_CALL]}
    assert asked[1][0][1:] == [message, {"role": "tool", "name": "weather", "content": "sun"}]


def test_sent_lines_get_the_raw_answers_alone(
    cli: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, chats: Path
) -> None:
    scripted(CALL, "fine")
    monkeypatch.setattr(sys, "stdin", io.StringIO("weather?\nagain\n"))
    assert cli("chat", str(chats), "--tools", "tools.json").out == f"{CALL}\nfine\n"


def test_functions_are_read_shown_and_dropped(person: Any, scripted: Any, chats: Path) -> None:
    asked = scripted("one", "two")
    Path("broken.json").write_text("[{", encoding="utf-8")
    Path("none.json").write_text("[]", encoding="utf-8")
    Path("bad.json").write_text('[{"title": "x"}]', encoding="utf-8")
    names = ("broken.json", "none.json", "bad.json", "gone.json", ".")
    said = person(
        "".join(f"/tools {name}\n" for name in names) + "/tools\n/tools tools.json\n/tools\nhi\n/tools none\nhi\n",
        str(chats),
    )
    for sentence in (
        "broken.json is broken JSON",
        "none.json holds no function",
        "bad.json[0] should be a tool with a name",
        "gone.json: cannot be read (No such file or directory)",
        ".: cannot be read (Is a directory)",
        "no function is offered",
        "a new conversation, with weather",
        "weather(city)",
        "a new conversation, with no function",
    ):
        assert sentence in said
    assert [(len(messages), tools) for messages, tools in asked] == [(1, TOOLS), (1, None)]


def test_a_template_that_would_leave_functions_out_is_refused(cli: Any, model: Path, chats: Path) -> None:
    assert read_tools(Path("tools.json")) == TOOLS
    done = cli("chat", str(model), "--tools", "tools.json")
    assert done.code == 2 and "the chat template writes no functions, so the model would see none" in done.err
    (chats / "chat_template.jinja").write_text(template("gemma"), encoding="utf-8")
    assert "gemma has no tools" in cli("chat", str(chats), "--tools", "tools.json").err
    (chats / "chat_template.jinja").unlink()
    assert "there is no place for functions" in cli("chat", str(chats), "--tools", "tools.json").err


def test_the_temperature_and_the_length_are_told_and_changed(person: Any, model: Path) -> None:
    said = person(
        "/temperature\n/temperature 0.7\n/temperature\n/temperature hot\n/temperature -1\n/max 5\n/max\n/max 0\n",
        str(model),
    )
    lines = [line.removeprefix("> ") for line in said.splitlines()[1:]]
    assert lines[:3] == ["0", "temperature is 0.7 from now on", "0.7"]
    assert lines[3:5] == [f"/temperature takes a number >= 0, not '{text}'" for text in ("hot", "-1")]
    assert (
        lines[5:7] == ["max_new_tokens is 5 from now on", "5"] and lines[7] == "/max takes a whole number > 0, not '0'"
    )


def test_options_of_sampling_come_back_with_the_temperature(model: Path) -> None:
    own = Decoding(temperature=1.0, top_p=0.9, max_new_tokens=8)
    talk = Conversation(model, own)
    talk.write(temperature=0.0)
    talk.write(max_new_tokens=4)
    assert talk.decoding == Decoding(max_new_tokens=4)
    talk.write(temperature=0.5)
    assert talk.decoding == own.replace(temperature=0.5, max_new_tokens=4)


def test_a_question_asked_again_is_drawn_anew_and_alike_for_all_models(model: Path) -> None:
    talks = [Conversation(model, Decoding(temperature=2.0, max_new_tokens=20)) for _ in range(2)]
    found = []
    for _ in range(2):
        for talk in talks:
            found.append("".join(talk.answer("hello")))
            talk.reset()
    assert found[0] == found[1] != found[2] == found[3]


def test_what_is_saved_is_data_to_train_on(person: Any, scripted: Any, chats: Path) -> None:
    Path("talk.jsonl").write_text('{"messages": [{"role": "user", "content": "x"}]}', encoding="utf-8")  # no line end
    scripted(CALL, "It is sunny.", "Ciao, città.")
    orders = (
        "/save talk.jsonl\nweather?\nsun\n/save talk.jsonl\n/tools none\n/system be brief\nciao\n/save talk.jsonl\n"
    )
    said = person(orders, str(chats), "--tools", "tools.json")
    assert "/save: nothing was said yet" in said and said.count("the conversation is added to talk.jsonl") == 2
    rows = [json.loads(line) for line in Path("talk.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[1] == {
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "", "tool_calls": [AS_CALL]},
            {"role": "tool", "name": "weather", "content": "sun"},
            {"role": "assistant", "content": "It is sunny."},
        ],
        "tools": TOOLS,
    }
    assert rows[2]["messages"][0] == {"role": "system", "content": "be brief"} and "tools" not in rows[2]
    loaded = list(Files("talk.jsonl").load())
    assert loaded[1]["messages"] == rows[1]["messages"] and loaded[1]["tools"] == TOOLS


def test_what_cannot_be_saved_is_a_sentence_and_the_talk_goes_on(person: Any, scripted: Any, chats: Path) -> None:
    asked = scripted("one", "two")
    Path("folder.jsonl").mkdir()
    Path("full.jsonl").symlink_to("/dev/full")
    Path("rows.jsonl").write_text("{}\n", encoding="utf-8")
    names = ("", "talk.txt", ".", "folder.jsonl", "gone/x.jsonl", "full.jsonl", "rows.jsonl/x.jsonl")
    said = person("hi\n" + "".join(f"/save {name}\n" for name in names) + "again\n", str(chats))
    assert said.count("whose name ends with .jsonl") == 3
    for why in ("Is a directory", "No such file or directory", "No space left on device", "Not a directory"):
        assert f"cannot be written ({why}); name another file" in said
    assert len(asked[1][0]) == 3 and Path("rows.jsonl").read_text(encoding="utf-8") == "{}\n"


def test_several_models_answer_side_by_side_each_in_its_own_conversation(
    person: Any, scripted: Any, chats: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    other = shutil.copytree(chats, "other[b]")
    asked = scripted("[red]one[/red] \x1b[2J", f"two {CALL}", "three", "four", "five")
    said = person(
        "hello\nsun\nagain\n/save both.jsonl\n", str(chats.relative_to(Path.cwd())), str(other), "--tools", "tools.json"
    )
    lines = [[part.strip() for part in line.split("│")] for line in said.splitlines()]
    assert ["chats", "other[b]"] in lines
    assert any(line[0] == "[red]one[/red] \N{REPLACEMENT CHARACTER}[2J" for line in lines)
    assert any(line[-1] == '→ weather(city="Rome")' for line in lines)
    assert said.count("result of weather> ") == 1
    turns = [[message["content"] for message in messages] for messages, _ in asked]
    assert turns[2] == ["hello", "two", "sun"]
    assert turns[3] == ["hello", "[red]one[/red] \x1b[2J", "again"]
    assert turns[4] == ["hello", "two", "sun", "three", "again"]
    assert "2 conversations, in the order of their models, are added to both.jsonl" in said
    assert len(Path("both.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_one_call_of_several_models_is_answered_once(person: Any, scripted: Any, chats: Path) -> None:
    asked = scripted(CALL, CALL, "a", "b")
    assert person("weather?\nsun\n", str(chats), str(chats), "--tools", "tools.json").count("result of weather") == 1
    assert [messages[-1] for messages, _ in asked[2:]] == [{"role": "tool", "name": "weather", "content": "sun"}] * 2


def test_one_model_that_cannot_answer_leaves_the_others_talking(
    person: Any, scripted: Any, chats: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("100", "40"):  # beside each other, below each other
        monkeypatch.setenv("COLUMNS", columns)
        asked = scripted(RecipeError("too long"), "yes", "back", "again")
        said = person("hello\nmore\n", str(chats), str(chats))
        assert "too long" in said and "yes" in said
        assert [len(messages) for messages, _ in asked] == [1, 1, 1, 3]


def test_an_interrupt_undoes_the_question_for_every_model(
    person: Any, scripted: Any, chats: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted("one", KeyboardInterrupt(), "a", "b")  # type: ignore[arg-type]
    assert "this question and what was answered are forgotten" in person("hello\nagain\n", str(chats), str(chats))
    assert [len(messages) for messages, _ in asked] == [1, 1, 1, 1]


def test_sent_lines_are_answered_behind_the_name_of_each_model(
    cli: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch, chats: Path
) -> None:
    shutil.copytree(chats, "other")
    scripted("one", "two")
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    assert cli("chat", "chats", "other").out == "chats: one\nother: two\n"


def test_help_lists_every_order(person: Any, model: Path) -> None:
    said = person("/help\n/tempereture 1\n", str(model))
    for order in ("/system", "/tools", "/reset", "/temperature", "/max", "/save", "/quit", "/help"):
        assert f"{order} " in said
    assert "there is no /tempereture; did you mean '/temperature'?" in said


def test_a_checkpoint_of_a_lora_is_put_over_what_its_run_began_with(
    chats: Path, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    rows = [json.dumps({"question": f"say {word}", "answer": word}) for word in ("one", "two", "three", "four")]
    Path("rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    recipe = Recipe(
        model=Pretrained("chats"), tokenizer=PretrainedTokenizer("chats", chat_template="chatml"), data=Files("rows.jsonl"), objective=SFT(), adapter=LoRA(r=2), validation=0,
        training=Training(steps=4, save_every=2, global_batch_size=4, learning_rate=0.01, device="cpu"),
        decoding=Decoding(max_new_tokens=300),
    )  # fmt: skip
    done = run(recipe)
    talks = [
        Conversation(done.folder / name, Decoding())
        for name in ("model", *("checkpoints/checkpoint-4", "checkpoints/checkpoint-2"))
    ]
    whole, last, before = ([*talk.model.state_dict().values()] for talk in talks)
    assert all(torch.equal(one, other) for one, other in zip(whole, last))
    assert not all(torch.equal(one, other) for one, other in zip(whole, before))
    monkeypatch.setattr(sys, "stdin", io.StringIO("/max\n"))
    said = cli("chat", f"{done.folder}/checkpoints/checkpoint-2")
    assert (said.code, said.out, said.err) == (0, "300\n", "")
    assert "there is no trained model in it" in cli("chat", f"{done.folder}/adapter").err
    shutil.rmtree(done.model)
    assert f"its newest checkpoint is {done.folder}/checkpoints/checkpoint-4" in cli("chat", str(done.folder)).err
    (done.folder / "recipe.json").unlink()
    error = cli("chat", f"{done.folder}/checkpoints/checkpoint-2").err
    assert "holds an adapter alone, and no recipe beside it says over which model" in error


PROGRAM = f"""
import sys
from smolrecipes import generate
def stream(model, tokenizer, messages, decoding, tools):
    if messages[-1]["content"] == "slow":
        import time
        yield "well"
        time.sleep(60)
    yield "It is sunny." if messages[-1]["role"] == "tool" else {CALL!r}
generate.stream = stream
from smolrecipes.__main__ import main
main()
"""


def test_in_a_real_terminal(chats: Path, tmp_path: Path) -> None:
    """Two models, a function, a byte that is no text, an interrupt, an end."""
    import pty

    process, terminal = pty.fork()
    if not process:
        os.chdir(tmp_path)
        os.environ |= {"COLUMNS": "100", "TERM": "xterm", "OMP_NUM_THREADS": "1"}
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM, "chat", "chats", "./chats", "--tools", "tools.json"])
    seen = b""

    def until(text: str) -> None:
        nonlocal seen
        end = time.monotonic() + 120
        while text.encode() not in seen:
            assert time.monotonic() < end, seen.decode(errors="replace")
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 65536)
        seen = seen.partition(text.encode())[2]

    try:
        until("/quit ends")
        for typed, shown in (
            (b"weather?\n", "result of weather> "),
            (b"sun\n", "It is sunny."),
            (b"/save \xff.jsonl\n", "are added to "),
            (b"slow\n", "well"),
            (b"\x03", "are forgotten"),
            (b"/nothing\n", "there is no /nothing"),
            (b"\x04", "\n"),
        ):
            time.sleep(0.3)
            os.write(terminal, typed)
            until(shown)
        end, ended = time.monotonic() + 60, 0
        while not ended:
            assert time.monotonic() < end, "it goes on"
            ended, status = os.waitpid(process, os.WNOHANG)
            time.sleep(0.05)
        process = 0
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        os.close(terminal)
        if process:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    (saved,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)["messages"][-1]["content"] for line in saved.read_text().splitlines()] == [
        "It is sunny."
    ] * 2
