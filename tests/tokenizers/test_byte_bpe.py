"""ByteBPE: exact, reloadable, and ChatML as it is written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from smolrecipes.data.rows import make
from smolrecipes.errors import RecipeError
from smolrecipes.tokenizers.byte_bpe import ByteBPE
from smolrecipes.tokenizers.learned import sample

SPECIAL = ("<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>")
TEXTS = [
    "Anna lost a red key in the garden.",
    "Il gatto è tornato a casa, perché aveva fame.",
    "one two three four",
] * 9
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "How warm is it in Roma?"}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Forlì", "days": 2}}}
TOOL = {"name": "weather", "description": "The weather.", "parameters": {"type": "object", "properties": {}}}
ANSWER = {"role": "assistant", "content": "It is mild."}


def rows(texts: list[str] = TEXTS) -> Any:
    return make("text", ({"text": text, "origin": f"here:{i}"} for i, text in enumerate(texts)))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return ByteBPE(vocab_size=300).build(rows())


@given(st.text() | st.lists(st.sampled_from([*SPECIAL, " ", "\n", "a", "é", "🙂", "\x00"])).map("".join))
@settings(max_examples=300)
def test_every_text_comes_back_exactly(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer(text)["input_ids"] == ids  # nothing is added before or after


def test_it_has_the_size_that_was_asked_for_and_every_byte(tokenizer: Any) -> None:
    assert len(tokenizer) == tokenizer.vocab_size == 300
    assert len(ByteBPE(vocab_size=260).build(rows())) == 260
    small = ByteBPE(vocab_size=260).build(rows())
    assert len(small(" key", add_special_tokens=False)["input_ids"]) == 4  # no merges: a token a byte
    assert len(tokenizer("one two three four")["input_ids"]) < 12  # 18 bytes, and merges were learned
    with pytest.raises(RecipeError, match=r"vocab_size.*260, not 259"):
        ByteBPE(vocab_size=259)


def test_the_control_tokens_are_single_first_and_special(tokenizer: Any) -> None:
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2, 3]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.bos_token_id) == (0, 1, None)
    assert tokenizer("<|im_start|>a<|im_end|>")["input_ids"][::2] == [2, 3]
    assert tokenizer.decode([2, 3, 0, 1], skip_special_tokens=True) == ""


def test_auto_tokenizer_reloads_it_identically(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS[:3], "  two  spaces \t\n", "🙂<|im_end|>\n", "isn 't , ok ."]
    assert again(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert [again.decode(ids) for ids in again(texts)["input_ids"]] == texts
    assert again.chat_template == tokenizer.chat_template
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.apply_chat_template([USER, ANSWER]) == tokenizer.apply_chat_template([USER, ANSWER])


def test_the_same_rows_make_the_same_tokenizer(tokenizer: Any) -> None:
    assert ByteBPE(vocab_size=300).build(rows()).backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert ByteBPE(vocab_size=300, chat_template="none").build(rows()).chat_template is None
    with pytest.raises(RecipeError, match="there are no rows to learn from"):
        ByteBPE().build(None)


def test_chatml_is_what_is_written_by_hand(tokenizer: Any) -> None:
    def shown(messages: list[Any], **options: Any) -> str:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, **options))

    asked = "<|im_start|>user\nHow warm is it in Roma?<|im_end|>\n"
    assert shown([USER]) == asked
    assert shown([USER], add_generation_prompt=True) == f"{asked}<|im_start|>assistant\n"
    answered = "<|im_start|>assistant\nIt is mild.<|im_end|>\n"
    assert shown([SYSTEM, USER, ANSWER]) == f"<|im_start|>system\nBe brief.<|im_end|>\n{asked}{answered}"
    assert shown([USER, ANSWER]).startswith(shown([USER], add_generation_prompt=True))


@pytest.mark.parametrize("system", [[], [SYSTEM]])
def test_tools_calls_and_results_in_chatml(tokenizer: Any, system: list[Any]) -> None:
    calling = {"role": "assistant", "content": "", "tool_calls": [CALL, CALL["function"]]}
    result = {"role": "tool", "content": {"degrees": 21}}
    messages = [*system, USER, calling, result, ANSWER]
    call = '<tool_call>{"name": "weather", "arguments": {"city": "Forlì", "days": 2}}</tool_call>'
    expected = (
        f"<|im_start|>system\n{'Be brief.' + chr(10) * 2 if system else ''}Tools:\n"
        '{"name": "weather", "description": "The weather.", "parameters": {"type": "object", "properties": {}}}\n'
        'To use one, answer {"name": ..., "arguments": {...}} inside <tool_call></tool_call>.<|im_end|>\n'
        "<|im_start|>user\nHow warm is it in Roma?<|im_end|>\n"
        f"<|im_start|>assistant\n{call}\n{call}<|im_end|>\n"
        '<|im_start|>tool\n{"degrees": 21}<|im_end|>\n'
        "<|im_start|>assistant\nIt is mild.<|im_end|>\n"
    )
    for tool in (TOOL, {"type": "function", "function": TOOL}):
        assert tokenizer.apply_chat_template(messages, tools=[tool], tokenize=False) == expected


def test_the_assistant_s_tokens_are_marked(tokenizer: Any) -> None:
    found = tokenizer.apply_chat_template(
        [USER, ANSWER], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    spoken = [i for i, mark in zip(found["input_ids"], found["assistant_masks"], strict=True) if mark]
    assert tokenizer.decode(spoken) == "It is mild.<|im_end|>"


def test_it_learns_from_a_sample_spread_over_the_rows() -> None:
    many = rows([f"{i:04d}" + "x" * 96 for i in range(1000)])
    every = list(sample(many, 10**9))
    assert len(every) == 1000
    some = list(sample(many, 20_000))
    assert 100 < len(some) < 300 and set(some) < set(every)
    assert int(some[0][:4]) < 10 and int(some[-1][:4]) > 980  # not only the first rows
