"""The answers in a run's results: whatever the rows hold, they never stop a finished training from being kept."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from smolrecipes import CLM, DPO, Decoding, Llama, Recipe, Regression, Run, Toy
from smolrecipes.data.rows import make
from smolrecipes.summary import prompt, samples, summarise
from smolrecipes.tokenizers.templates import template

USER, ANSWER = {"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello."}
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {}}}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=260, max_position_embeddings=64, **sizes))


def tokenizer(chat_template=None):
    names = ["<pad>", "<eos>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = chat_template
    return made


def asked(model, rows, **given):
    parts = SimpleNamespace(validation_rows=rows, train_rows=None, tokenizer=tokenizer(**given), seed=0)
    return samples(model, parts, Decoding(max_new_tokens=4, temperature=0.0))


def finished(folder, objective=None, **results):
    """A run that is finished, of a recipe that builds on none."""
    facts = {"rows": 5, "of": 8, "tokens": 1234, "trained_parameters": 1, "parameters": 2, "adapter_bytes": 0}
    folder.mkdir()
    every = {"before": {}, "after": {}, "samples": [], **facts, **results}
    (folder / "results.json").write_text(json.dumps(every), encoding="utf-8")
    return Run(folder, Recipe(model=Llama(), data=Toy("stories"), objective=objective or CLM()))


def told(run, capsys):
    summarise(run)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_table_has_no_column_without_a_number(tmp_path, capsys):
    assert told(finished(tmp_path / "tiny-0a1b2c3d"), capsys)[2].split() == ["stage", "saw", "trained"]
    lines = told(finished(tmp_path / "kto-0a1b2c3d", after={"loss": 1.5}, before={"loss": 2}), capsys)
    assert lines[2].split() == ["stage", "saw", "trained", "held-out", "loss"]
    assert lines[4].endswith("2.000 → 1.500")
    for name in ("reward_accuracy", "rewards/accuracies"):  # ours, and TRL's
        done = finished(tmp_path / f"{name[:7]}-0a1b2c3d", DPO(), after={"loss": 1.5, name: 0.75})
        lines = told(done, capsys)
        assert lines[2].split()[-2:] == ["reward", "accuracy"] and lines[4].endswith("1.500           75.0%")
    scores = {"loss": 1.5, "pearson": 0.75}
    lines = told(finished(tmp_path / "similar-0a1b2c3d", Regression(), after=scores, before=scores), capsys)
    assert lines[2].split()[-1] == "pearson" and lines[4].endswith("0.750 → 0.750")


def test_small_amounts_are_whole_numbers(tmp_path, capsys):
    small = "\n".join(told(finished(tmp_path / "a-0a1b2c3d", adapter_bytes=4321), capsys))
    assert "1,234 tokens" in small and "adapter 4.3 kB" in small
    large = "\n".join(told(finished(tmp_path / "b-0a1b2c3d", tokens=123_456_789, adapter_bytes=7_654_321), capsys))
    assert "123.46 M tokens" in large and "adapter 7.65 MB" in large


def test_messages_without_a_chat_template_are_asked_as_they_were_learned(model):
    rows = make("messages", [{"messages": [USER, ANSWER], "tools": None, "origin": "a:1"}])
    [(question, answer)] = asked(model, rows)
    assert question == "Say hello." and "not asked" not in answer


def test_what_cannot_be_asked_says_why_and_the_rest_is_asked(model):
    long = {"role": "user", "content": "long " * 40}
    rows = make(
        "preference",
        [
            {"prompt": [turn], "chosen": [ANSWER], "rejected": [ANSWER], "tools": None, "origin": f"a:{i}"}
            for i, turn in enumerate((USER, long))
        ],
    )
    answers = dict(asked(model, rows, chat_template=template("chatml")))
    assert "not asked: the prompt has" in answers[("long " * 40).strip()]
    assert "not asked" not in answers["Say hello."]
    nothing = make("messages", [{"messages": [ANSWER], "tools": None, "origin": "a:1"}])
    assert asked(model, nothing, chat_template=template("chatml"))[0][1].startswith("(not asked: there is no message")
    with_tools = make("messages", [{"messages": [USER, ANSWER], "tools": [TOOL], "origin": "a:1"}])
    assert "no chat template" in asked(model, with_tools)[0][1]


def test_a_template_that_refuses_the_messages_is_said_too(model):
    rows = make("messages", [{"messages": [USER, ANSWER], "tools": None, "origin": "a:1"}])
    [(_, answer)] = asked(model, rows, chat_template="{{ raise_exception('only systems') }}")
    assert "not asked" in answer and "only systems" in answer


def test_tools_are_given_to_the_template(model):
    template = "{{ tools[0].function.name if tools else 'too long' * 10 }}"
    rows = make("messages", [{"messages": [USER, ANSWER], "tools": [TOOL], "origin": "a:1"}])
    assert "not asked" not in asked(model, rows, chat_template=template)[0][1]


def test_a_template_that_writes_no_chat_without_a_system_message_ends_no_training(model):
    template = "{% if messages[0].role != 'system' %}{{ raise_exception('no system') }}{% endif %}hello"
    system = {"role": "system", "content": "Be kind."}
    rows = make("messages", [{"messages": [system, USER, ANSWER], "tools": None, "origin": "a:1"}])
    assert "no system" in asked(model, rows, chat_template=template)[0][1]


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("a short text that has no more words behind", "a short text that has no more words behind"),
        ("word " * 30, ("word " * 9).strip()[:44]),
        ("x" * 60, "x" * 60),
        ("x" * 60 + " more", "x" * 60),
        ("x" * 500, "x" * 200),
        ("y" * 50 + "\nnext line", "y" * 50),
    ],
)
def test_the_opening_of_a_text_ends_between_words(text, opening):
    assert prompt(make("text", [{"text": text, "origin": "a:1"}]), 0) == opening
