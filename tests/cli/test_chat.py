from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import generate
from smolrecipes.cli.folder import decoding, printable
from smolrecipes.decoding import Decoding

SIZES = {"layers": 1, "attention_heads": 2, "ffn_dim": 16}


def _say(cli: Any, monkeypatch: pytest.MonkeyPatch, text: str, *arguments: str) -> Any:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return cli("chat", *arguments)


def test_lines_are_answered_one_by_one_and_remembered(cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    asked: list[Any] = []
    original = generate.stream

    def stream(model: Any, tokenizer: Any, messages: Any, decoding: Any, tools: Any) -> Any:
        asked.append(messages)
        return original(model, tokenizer, messages, decoding, tools)

    monkeypatch.setattr(generate, "stream", stream)
    script = "hello\n\nagain\n/reset\nnew\n/system be brief\nlast\n/quit\nnever\n"
    done = _say(cli, monkeypatch, script, str(model.parent), "--max-new-tokens", "4")
    assert (done.code, done.err) == (0, "")
    assert [[message["content"] for message in messages if message["role"] == "user"] for messages in asked] == [
        ["hello"],
        ["hello", "again"],
        ["new"],
        ["last"],
    ]
    assert asked[3][0] == {"role": "system", "content": "be brief"}
    assert asked[1][1]["role"] == "assistant" and printable(asked[1][1]["content"]) in done.out


def test_an_unknown_order_is_not_sent_to_the_model(cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    done = _say(cli, monkeypatch, "/rest\n", str(model))
    assert done.out.startswith("there is no /rest; did you mean '/reset'? /help lists the orders")


def test_what_fails_while_generating_is_not_swallowed(model: Path) -> None:
    from smolrecipes.cli.conversation import Conversation

    def fail(*_: Any) -> None:
        raise FloatingPointError("as it happens")

    talk = Conversation(model, Decoding(max_new_tokens=4))
    talk.model.model.layers[0].register_forward_hook(fail)
    with pytest.raises(FloatingPointError, match="as it happens"):
        list(talk.answer("hello"))
    assert talk.messages == []


def test_the_pieces_are_the_answer_and_stopping_early_stops(model: Path) -> None:
    from smolrecipes.cli.conversation import Conversation

    talk = Conversation(model, Decoding(max_new_tokens=12), system="be brief")
    system = {"role": "system", "content": "be brief"}
    said = "".join(talk.answer("hello"))
    assert said and talk.messages == [system, {"role": "user", "content": "hello"}, talk.messages[-1]]
    assert talk.messages[-1] == {"role": "assistant", "content": said}
    asked = [system, {"role": "user", "content": "hello"}]
    assert generate.generate(talk.model, talk.tokenizer, [asked], Decoding(max_new_tokens=12)) == [said]
    talk.reset()
    pieces = talk.answer("hello")
    next(pieces)
    pieces.close()
    assert talk.messages == [system]


def test_without_a_template_texts_are_continued_and_there_is_no_system_message(
    cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(model, tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    assert _say(cli, monkeypatch, "once upon\n", str(folder), "--max-new-tokens", "4").code == 0
    for text, arguments in (("/system be brief\n", []), ("", ["--system", "be brief"])):
        done = _say(cli, monkeypatch, text, str(folder), *arguments)
        assert done.code == 2 and "there is no place for a system message" in done.err


def test_in_a_terminal_a_conversation_that_is_too_long_goes_on_after_a_sentence(
    cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path, typed: Any
) -> None:
    monkeypatch.setattr(sys, "stdin", typed(f"{'long ' * 20}\nhi\n/quit\n"))
    folder = shutil.copytree(model, Path("short"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 40}))
    done = cli("chat", str(folder))
    assert (done.code, done.err) == (0, "")
    assert "/quit ends" in done.out and "the model reads 40 at most" in done.out
    assert len(done.out.split("at most, its answer included")[1]) > 10  # the second line was answered


def test_in_a_terminal_orders_are_confirmed_and_sent_lines_are_not(
    cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path, typed: Any
) -> None:
    script = "/reset\n/system be brief\n/reset\n/system\n"
    monkeypatch.setattr(sys, "stdin", typed(script))
    said = [line.removeprefix("> ") for line in cli("chat", str(model)).out.splitlines()[1:]]
    assert said[:4] == [
        "the conversation is forgotten",
        "a new conversation, with that system message",
        "the conversation is forgotten; the system message stays",
        "a new conversation, without a system message",
    ]
    assert _say(cli, monkeypatch, script, str(model)).out == ""


def test_an_interrupt_stops_the_answer_and_not_the_conversation(
    cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path, typed: Any
) -> None:
    """Ctrl-C within an answer, then at the prompt."""

    class Impatient(typed):  # type: ignore[misc]
        def readline(self, *size: Any) -> str:
            line = super().readline(*size)
            if line == "^C\n":
                raise KeyboardInterrupt
            return line

    asked: list[Any] = []

    def stream(model: Any, tokenizer: Any, messages: Any, decoding: Any, tools: Any) -> Any:
        asked.append(messages)
        yield "well"
        if len(asked) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(generate, "stream", stream)
    monkeypatch.setattr(sys, "stdin", Impatient("hello\n^C\nagain\n/quit\n"))
    done = cli("chat", str(model))
    assert (done.code, done.err) == (0, "")
    assert "well\nstopped; this question and what was answered are forgotten" in done.out
    assert "/quit ends, and so does Ctrl-D" in done.out.split("forgotten")[1]
    assert [[message["content"] for message in messages] for messages in asked] == [["hello"], ["again"]]


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("LlamaForSequenceClassification", "sequence-classification"),
        ("BertForMaskedLM", "masked"),
        ("BertForQuestionAnswering", "question-answering"),
        ("BertForMultipleChoice", "multiple-choice"),
    ],
)
def test_a_model_that_writes_no_text_does_not_chat(
    cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path, name: str, head: str
) -> None:
    folder = shutil.copytree(model, Path("judge"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": [name], "model_type": name.partition("For")[0].lower()}
    (folder / "config.json").write_text(json.dumps(config))
    done = _say(cli, monkeypatch, "hi\n", str(folder))
    assert (done.code, done.out) == (2, "")
    said = f"error: judge: this model ({head}) writes no text, so it does not chat; 'smolrecipes try' asks it"
    assert done.err.startswith(said)


@pytest.mark.parametrize("template", [True, False])
def test_an_encoder_decoder_chats_with_its_own_head_and_reads_what_it_was_trained_to(
    cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path, template: bool
) -> None:
    import torch
    from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration

    folder = shutil.copytree(model, Path("pairs"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    sizes = {f"{part}_{name}": value for part in ("encoder", "decoder") for name, value in SIZES.items()}
    config = BartConfig(vocab_size=len(tokenizer), d_model=16, pad_token_id=0, eos_token_id=0, **sizes)
    made = BartForConditionalGeneration(config).eval()
    made.save_pretrained(folder)
    if not template:
        (folder / "chat_template.jinja").unlink()
        tokenizer.chat_template = None
    done = _say(cli, monkeypatch, "hello\n", str(folder), "--max-new-tokens", "6")
    (expected,) = generate.generate(made, tokenizer, ["hello"], Decoding(max_new_tokens=6))
    assert (done.code, done.err) == (0, "") and printable(expected) in done.out and expected


def test_a_model_that_is_told_languages_does_not_chat(cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    from transformers import AutoTokenizer, BartConfig

    folder = shutil.copytree(model, Path("translator"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["__en__", "__it__"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    BartConfig(architectures=["BartForConditionalGeneration"]).save_pretrained(folder)
    done = _say(cli, monkeypatch, "hi\n", str(folder))
    assert done.code == 2 and "this model is told languages, so it does not chat" in done.err


def test_a_model_cannot_steer_the_terminal() -> None:
    assert printable("città\n\tè \x1b[2J\x05") == "città\n\tè \ufffd[2J\ufffd"


def test_the_run_s_own_decoding_is_taken(model: Path) -> None:
    assert decoding(model, 256) == Decoding(max_new_tokens=300, repetition_penalty=1.1)
    assert decoding(model, 256, temperature=0.5, max_new_tokens=9) == Decoding(
        max_new_tokens=9, repetition_penalty=1.1, temperature=0.5
    )
    sampled = {"max_new_tokens": 300, "temperature": 1.0, "top_k": 5}
    (model.parent / "recipe.json").write_text(json.dumps({"decoding": sampled}))
    assert decoding(model, 256, temperature=0) == Decoding(max_new_tokens=300)
    assert decoding(model.parent, 256).max_new_tokens == 256


def test_runs_are_found_by_name_and_the_last_by_default(cli: Any, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    Path("runs").mkdir()
    Path("runs/mine-1234").symlink_to(model.parent)
    Path("runs/last").write_text("mine-1234", encoding="utf-8")
    for arguments in ([], ["mine-1234"], ["runs/mine-1234"]):
        assert _say(cli, monkeypatch, "/quit\n", *arguments).code == 0
    assert "did you mean 'mine-1234'?" in _say(cli, monkeypatch, "", "mine-123").err
    Path("runs/last").write_text("gone-1234", encoding="utf-8")
    assert "the run that it names, runs/gone-1234, is gone" in _say(cli, monkeypatch, "").err
    Path("runs/unfinished").mkdir()
    assert "there is no trained model in it" in _say(cli, monkeypatch, "", "runs/unfinished").err
