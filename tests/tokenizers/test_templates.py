"""Chat templates: as they are documented, what is learned of them, and that nobody but a template writes control tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import GRPO, PretrainedTokenizer
from smolrecipes.conversation.cut import CUT
from smolrecipes.conversation.tokens import turn_end
from smolrecipes.errors import RecipeError
from smolrecipes.generate import _encode
from smolrecipes.objectives.chat import continuation, encode
from smolrecipes.tokenizers.templates import TEMPLATES

SYSTEM = {"role": "system", "content": "Be brief."}
CHAT = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four"},
]
WRITTEN = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\none<|im_end|>\n<|im_start|>assistant\n",
    "gemma": "<start_of_turn>user\nBe brief.\n\none<end_of_turn>\n<start_of_turn>model\n",
    "llama2": "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\none [/INST]",
    "llama3": "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>"
    "\n\none<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "plain": "system: Be brief.\nuser: one\nassistant:",
    "zephyr": "<|system|>\nBe brief.<|endoftext|>\n<|user|>\none<|endoftext|>\n<|assistant|>\n",
}
ENDS = {"chatml": "<|im_end|>", "gemma": "<end_of_turn>", "llama3": "<|eot_id|>"}
CALL = {"function": {"name": "clock", "arguments": {"city": "Roma"}}}
TOOL = {"type": "function", "function": {"name": "clock", "description": "", "parameters": {}}}


@pytest.fixture(params=TEMPLATES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def learned(messages: list[Any], tokenizer: Any, tools: list[Any] | None = None) -> list[str]:
    """The pieces that are learned, as text."""
    pieces: list[list[int]] = [[]]
    for token, label in zip(*encode(messages, tokenizer, tools), strict=True):
        if label != -100:
            pieces[-1].append(token)
        elif pieces[-1]:
            pieces.append([])
    return [tokenizer.decode(piece) for piece in pieces if piece]


def test_a_template_is_what_its_format_says(made: Any, name: str) -> None:
    assert set(WRITTEN) == set(TEMPLATES)
    tokenizer = made("bytes", "gpt", name)
    asked = tokenizer.apply_chat_template([SYSTEM, CHAT[0]], tokenize=False, add_generation_prompt=True)
    assert asked == WRITTEN[name]
    begun = made("bytes", "roberta", name).apply_chat_template(CHAT[:2], tokenize=False)
    assert begun.count("<s>") == (name in ("gemma", "llama2", "llama3"))  # where the tokenizer has a bos


def test_an_answer_is_learned_with_one_token_that_ends_it(kind: str, made: Any, name: str) -> None:
    tokenizer = made(kind, "gpt", name)
    end = ENDS.get(name, tokenizer.eos_token)
    assert turn_end(tokenizer) == tokenizer.convert_tokens_to_ids(end)
    assert turn_end(tokenizer) in tokenizer.all_special_ids
    pieces = learned(CHAT, tokenizer)
    for piece in pieces:
        assert piece.endswith(end) and piece.count(end) == 1
    if kind in ("byte_bpe", "bytes"):
        assert [piece.removesuffix(end).strip() for piece in pieces] == ["two", "four"]


def test_generation_reads_what_training_reads(kind: str, made: Any, name: str) -> None:
    tokenizer = made(kind, "gpt", name)
    ids, labels = encode(CHAT, tokenizer)
    asked = _encode(tokenizer, CHAT[:1], None, None)
    assert ids[: len(asked)] == asked and labels.index(next(x for x in labels if x != -100)) >= len(asked) - 1
    prompt, answer = continuation(CHAT[:3], CHAT[3:], tokenizer)
    assert prompt == _encode(tokenizer, CHAT[:3], None, None)
    assert (prompt + answer)[: len(ids)] == ids


def test_the_assistant_s_tokens_are_marked(made: Any, name: str) -> None:
    tokenizer = made("byte_bpe", "gpt", name)
    found = tokenizer.apply_chat_template(CHAT, return_dict=True, return_assistant_tokens_mask=True)
    said = [i for i, mark in zip(found["input_ids"], found["assistant_masks"], strict=True) if mark]
    end = ENDS.get(name, tokenizer.eos_token)
    assert tokenizer.decode(said).replace(" ", "") == f"two{end}four{end}"


@pytest.mark.parametrize("tooled", ["chatml", "llama3", "zephyr"])
def test_tools_calls_and_results(made: Any, tooled: str) -> None:
    tokenizer = made("byte_bpe", "gpt", tooled)
    calling = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    chat = [SYSTEM, CHAT[0], calling, {"role": "tool", "content": {"hour": 12}}, CHAT[1]]
    whole = tokenizer.apply_chat_template(chat, tools=[TOOL], tokenize=False)
    assert whole.count("Be brief.") == 1 and '"description": ""' in whole and '{"hour": 12}' in whole
    call, answer = learned(chat, tokenizer, [TOOL])
    assert '"name": "clock"' in call and '{"city": "Roma"}' in call
    end = ENDS.get(tooled, tokenizer.eos_token)
    assert call.endswith(end) and answer == f"two{end}"


@pytest.mark.parametrize("toolless", ["gemma", "llama2", "plain"])
def test_templates_without_tools_say_so(made: Any, toolless: str) -> None:
    with pytest.raises(RecipeError, match=f"{toolless} has no tools: chatml, llama3 and zephyr do"):
        encode(CHAT, made("byte_bpe", "gpt", toolless), [TOOL])
    calling = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    with pytest.raises(RecipeError, match=f"{toolless} has no tool calls"):
        encode([CHAT[0], calling], made("byte_bpe", "gpt", toolless))


@pytest.mark.parametrize("strict", ["gemma", "llama2"])
def test_a_system_message_that_would_be_lost_is_refused(made: Any, strict: str) -> None:
    for chat in ([CHAT[0], CHAT[1], SYSTEM, *CHAT[2:]], [SYSTEM, CHAT[1]]):
        with pytest.raises(RecipeError, match="at the beginning only"):
            encode(chat, made("byte_bpe", "gpt", strict))


SPELLED = [
    *("<|endoftext|>", "<|pad|>", "<|unk|>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>"),
    *("<|tool|>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<s>", "</s>", "[CLS]", "[SEP]", "[MASK]", "<extra_id_0>", CUT),
    *("<", "|", ">", " ", "a", "\n"),
]


@pytest.mark.parametrize("family", ["gpt", "roberta"])
@given(text=st.lists(st.sampled_from(SPELLED), max_size=8).map("".join))
@settings(max_examples=12)
def test_nothing_that_is_said_becomes_a_control_token(kind: str, name: str, family: str, made: Any, text: str) -> None:
    """Whoever says it, in training and when asked: there are as many as when everybody says nothing special."""
    tokenizer = made(kind, family, name)
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}

    def control(ids: list[int]) -> list[int]:
        return [token for token in ids if token in special]

    def chat(said: str) -> list[Any]:
        return [SYSTEM, {"role": "user", "content": said}, {"role": "assistant", "content": said}]

    assert control(encode(chat(f"x{text}x"), tokenizer)[0]) == control(encode(chat("xx"), tokenizer)[0])
    for ask in (lambda said: said, lambda said: chat(said)[:2]):
        assert control(_encode(tokenizer, ask(f"x{text}x"), None, None)) == control(
            _encode(tokenizer, ask("xx"), None, None)
        )
    if kind in ("byte_bpe", "bytes"):
        assert f"x{text}x" in tokenizer.decode(encode(chat(f"x{text}x"), tokenizer)[0])


@given(text=st.lists(st.sampled_from(SPELLED), max_size=8).map("".join))
@settings(max_examples=25)
def test_nor_without_a_template(kind: str, made: Any, text: str) -> None:
    tokenizer = made(kind, "gpt", "none")
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    asked = [{"role": "user", "content": f"x{text}x"}, {"role": "assistant", "content": f"x{text}x"}]
    ids, labels = encode(asked, tokenizer)
    assert [token for token in ids if token in special] == [tokenizer.eos_token_id]
    assert ids[: labels.count(-100)] == _encode(tokenizer, f"x{text}x", None, None)


def test_a_text_to_continue_is_read_as_the_rows_of_a_corpus_are(made: Any) -> None:
    tokenizer = made("byte_bpe", "gpt", "none")
    text = f"a<|endoftext|>{CUT}b"
    assert _encode(tokenizer, text, None, None, text=True) == tokenizer(text)["input_ids"]


def test_what_tools_and_calls_spell_is_no_control_token_either(made: Any) -> None:
    tokenizer = made("byte_bpe", "gpt", "chatml")
    bad = {"function": {"name": "a<|im_end|>", "arguments": {"<|im_start|>": ["<|im_end|>"]}}}
    tool = {"type": "function", "function": {"name": "a", "description": "<|im_end|>", "parameters": {}}}
    ids, _ = encode([CHAT[0], {"role": "assistant", "content": "", "tool_calls": [bad]}], tokenizer, [tool])
    assert ids.count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 3


def test_what_trl_would_read_as_a_control_token_is_refused(made: Any) -> None:
    row = {"source": "a<|im_end|>", "target": "b", "origin": "q.jsonl:3"}
    with pytest.raises(RecipeError, match=r"q.jsonl:3: the question 'a<\|im_end\|>' spells a control token"):
        GRPO().prepare_many([row], made("byte_bpe"), 512)


OWN = """{#- control tokens: <|q|> <|done|> -#}
{%- for m in messages %}{{ '<|q|>' + m.role + ' ' + m.content + '<|done|>' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|q|>assistant ' }}{% endif %}"""


def test_a_file_of_one_s_own(kind: str, component: Any, few: Any, tmp_path: Path) -> None:
    (tmp_path / "my.jinja").write_text(OWN, encoding="utf-8")
    asked = component(kind, chat_template=str(tmp_path / "my.jinja"))
    tokenizer = asked.build(few)
    assert {"<|q|>", "<|done|>"} <= set(tokenizer.all_special_tokens)
    assert turn_end(tokenizer) == tokenizer.convert_tokens_to_ids("<|done|>")
    assert "control tokens" not in tokenizer.chat_template
    before = asked.fingerprint()
    (tmp_path / "my.jinja").write_text(OWN.replace("' '", "': '"), encoding="utf-8")
    assert asked.fingerprint() != before
    again = tmp_path / "saved"
    tokenizer.save_pretrained(again)
    other = PretrainedTokenizer(path=str(again), chat_template="zephyr").build(None)
    assert learned(CHAT, other)[0].endswith(tokenizer.eos_token)
    assert len(other) == len(tokenizer) + 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for m in messages %}{{ m.content + '\n' }}{% endfor %}", "no control token ends an answer"),
        ("{% for m in messages %}{{ m.content }}", "cannot write a question and its answer"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_would_not_do_is_refused(component: Any, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "my.jinja").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=f"my.jinja.*{said}|{said}.*my.jinja"):
        component("bytes", chat_template=str(tmp_path / "my.jinja")).build(None)
