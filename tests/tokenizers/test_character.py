"""Characters: a token a character, exact where all are known, and no control token from any text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from smolrecipes.data.files import Files
from smolrecipes.data.rows import make
from smolrecipes.errors import RecipeError
from smolrecipes.generate import _encode
from smolrecipes.objectives.chat import encode
from smolrecipes.tokenizers.character import Characters
from smolrecipes.tokenizers.pretrained import PretrainedTokenizer
from smolrecipes.tokenizers.specials import EOS, PAD, UNK

TEXTS = ["To be, or not\n\tto be:  that", "è già così 🙂", "<|endoftext|> ▁Ġ\x00"]
KNOWN = sorted(set("".join(TEXTS)))


def rows(texts: list[str] = TEXTS) -> Any:
    return make("text", ({"text": text, "origin": f"here:{i}"} for i, text in enumerate(texts)))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return Characters().build(rows())


@given(st.lists(st.sampled_from([*KNOWN, EOS, " ", "\n"])).map("".join))
@settings(max_examples=300)
def test_known_characters_come_back_exactly_a_token_each(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert ids == tokenizer.convert_tokens_to_ids(list(text))
    assert not set(ids) & {0, 1, 2}  # also where the text spells a control token


def test_an_unknown_character_is_the_unknown_token_each(tokenizer: Any) -> None:
    ids = tokenizer("züt Q")["input_ids"]
    assert [index for index, token in enumerate(ids) if token == tokenizer.unk_token_id] == [0, 1, 4]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "t "


def test_the_vocabulary_is_the_characters_after_three_control_tokens(tokenizer: Any) -> None:
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == [EOS, PAD, UNK, *KNOWN]
    ids = (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.bos_token_id)
    assert ids == (0, 1, 2, None)
    same = Characters().build(rows(TEXTS[::-1]))
    assert same.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_auto_tokenizer_reloads_it_identically(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS, "  two  spaces \t\n", "<|endoftext|><|pad|><|unk|>", "no, n't . z"]
    assert again(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert [again.decode(ids) for ids in again(TEXTS)["input_ids"]] == TEXTS
    assert again.special_tokens_map == tokenizer.special_tokens_map and len(again) == len(tokenizer)


def test_it_learns_from_its_own_data_or_the_recipe_s(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    assert len(Characters(Files(str(tmp_path / "a.txt"))).build(rows())) == 6
    with pytest.raises(
        RecipeError, match=r"Characters: there are no rows to learn from; .*Characters\(Files\('a.txt'\)\)"
    ):
        Characters().build(None)


def test_an_answer_ends_with_eos_though_text_never_holds_it(tokenizer: Any) -> None:
    chat = [{"role": "user", "content": "to<|pad|>"}, {"role": "assistant", "content": "be"}]
    ids, labels = encode(chat, tokenizer)
    assert tokenizer.decode([label for label in labels if label >= 0]) == "be<|endoftext|>"
    assert ids[-1] == tokenizer.eos_token_id and ids.count(0) == 1


def test_a_chat_template_put_on_it_later_has_its_control_tokens(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    chat = PretrainedTokenizer(path=str(tmp_path), chat_template="chatml").build(None)
    ids, labels = encode([{"role": "user", "content": "to"}, {"role": "assistant", "content": "be"}], chat)
    assert chat.decode([label for label in labels if label >= 0]) == "be<|im_end|>"
    assert _encode(chat, "to", None, None) == ids[: len(_encode(chat, "to", None, None))]
    assert chat("<|im_end|>")["input_ids"] != [chat.convert_tokens_to_ids("<|im_end|>")]
