"""Each family's control tokens and template, written out by hand, for every kind; reloaded, they are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from transformers import AutoTokenizer

from smolrecipes import ByteBPE, Characters
from smolrecipes.errors import RecipeError
from smolrecipes.registry import registry
from smolrecipes.tokenizers.specials import SPECIALS, Family

A, B = "Anna", "casa"
TEXTS = ["Anna lost a red key in the garden.", "Il gatto è tornato a casa, perché aveva fame.", "one\ntwo"]
FORMS = {
    "gpt": ("A", "A B", None),
    "bert": ("[CLS] A [SEP]", "[CLS] A [SEP] B [SEP]", "00011"),
    "distilbert": ("[CLS] A [SEP]", "[CLS] A [SEP] B [SEP]", None),
    "roberta": ("<s> A </s>", "<s> A </s> </s> B </s>", None),
    "bart": ("<s> A </s>", "<s> A </s> </s> B </s>", None),
    "t5": ("A </s>", "A </s> B </s>", None),
    "marian": ("A </s>", "A </s> B </s>", None),
    "xlnet": ("A <sep> <cls>", "A <sep> B <sep> <cls>", "00112"),
    "xlm": ("</s> A </s>", "</s> A </s> B </s>", None),
    "m2m100": ("A </s>", "A </s> B </s>", None),
}
MASKED = ("bert", "distilbert", "roberta", "bart", "xlnet", "xlm")


def form(tokenizer: Any, *texts: str) -> tuple[str, str | None]:
    """What one text, or two, become, as FORMS writes it: each text is one letter."""
    found = tokenizer(*texts)
    special = set(tokenizer.all_special_ids)
    shown, types = [], []
    letters = iter("AB")
    inside = False
    for index, token in enumerate(found["input_ids"]):
        if token in special or not inside or found.sequence_ids()[index] != found.sequence_ids()[index - 1]:
            shown.append(tokenizer.convert_ids_to_tokens(token) if token in special else next(letters))
            types.append(found["token_type_ids"][index] if "token_type_ids" in found else None)
        inside = token not in special
    return " ".join(shown), None if None in types else "".join(map(str, types))


def test_every_family_is_an_option_and_written_here() -> None:
    assert set(get_args(Family)) == set(SPECIALS) == set(FORMS)


@pytest.mark.parametrize("family", FORMS)
def test_a_family_s_tokens_stand_where_it_has_them(kind: str, made: Any, family: str, tmp_path: Path) -> None:
    tokenizer = made(kind, family)
    single, pair, types = FORMS[family]
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert form(one, A)[0] == single
        assert form(one, A, B) == (pair, types)
        assert (one.mask_token is not None) is (family in MASKED)
        assert one.eos_token and one.pad_token and one.eos_token_id != one.pad_token_id
        assert (one.unk_token is not None) is (family != "gpt" or kind not in ("byte_bpe", "bytes"))


@pytest.mark.parametrize("family", ["gpt", "bert", "t5", "xlnet"])
def test_auto_tokenizer_reloads_it_identically(
    kind: str, component: Any, few: Any, family: str, tmp_path: Path
) -> None:
    tokenizer = component(kind, specials=family, languages=("en", "it"), sentinels=3, extra=("<|fim|>",)).build(few)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS, "  two  spaces \t\n", "Zzz 🙂<extra_id_1>[SEP]</s>\n", "isn 't , ok .", "__en__ x<|fim|>"]
    for options in ({}, {"split_special_tokens": True}, {"add_special_tokens": False}):
        assert dict(again(texts, **options)) == dict(tokenizer(texts, **options))
    assert dict(again(texts, texts)) == dict(tokenizer(texts, texts))
    assert again.batch_decode(again(texts)["input_ids"]) == tokenizer.batch_decode(tokenizer(texts)["input_ids"])
    assert again.special_tokens_map == tokenizer.special_tokens_map and len(again) == len(tokenizer)
    assert again.chat_template == tokenizer.chat_template
    assert again.split_special_tokens == tokenizer.split_special_tokens == (kind == "characters")


def test_control_tokens_come_first_and_are_special(kind: str, component: Any, few: Any) -> None:
    asked = component(kind, specials="t5", sentinels=2, languages=("en",), extra=("<|fim|>",))
    tokenizer = asked.build(few)
    control = ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>", "__en__", "<|fim|>"]
    assert asked.control() == control
    assert tokenizer.convert_ids_to_tokens(range(7)) == control
    assert set(range(7)) <= set(tokenizer.all_special_ids)
    assert tokenizer.decode(range(7), skip_special_tokens=True).strip() == ""


def test_sentinels_are_a_hundred_for_t5_and_as_many_as_asked(component: Any) -> None:
    assert len(component("bytes", specials="t5").build(None)) == 256 + 3 + 100
    assert len(component("bytes", specials="t5", sentinels=0).build(None)) == 256 + 3
    assert len(component("bytes", sentinels=7).build(None)) == 256 + 4 + 7


@pytest.mark.parametrize("family", FORMS)
def test_asked_to_split_them_no_spelling_is_a_control_token(kind: str, made: Any, component: Any, family: str) -> None:
    tokenizer = made(kind, family)
    control = set(component(kind, specials=family).control())
    for text in (*control, f"a{'b'.join(sorted(control))}c"):
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert not set(tokenizer.convert_ids_to_tokens(ids)) & (control - {tokenizer.unk_token}), text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"extra": ("X",)}, "'X' is no control token"),
        ({"extra": ("<a b>",)}, "'<a b>' is no control token"),
        ({"languages": ("en", "en")}, "'__en__' is no control token: give each once"),
        ({"specials": "brt"}, "Bytes.specials"),
        ({"chat_template": "chatlm"}, "no chat template 'chatlm'; did you mean 'chatml'"),
    ],
)
def test_a_mistake_is_a_sentence(component: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        component("bytes", **options)


@pytest.mark.parametrize("kind", ["byte_bpe", "unigram", "word_piece", "words"])
def test_a_vocabulary_without_room_is_a_sentence(kind: str, few: Any) -> None:
    with pytest.raises(RecipeError, match=r"vocab_size should be at least \d+, not 300: it has 30\d control tokens"):
        registry().find("tokenizer", kind)(vocab_size=300, sentinels=300).build(few)


def test_what_was_trained_before_there_were_these_options_is_found_again(component: Any) -> None:
    assert ByteBPE().fingerprint() == "e00578f25e9d887c"
    assert ByteBPE(vocab_size=300, chat_template="none").fingerprint() == "d6fd8abf6a7520bc"
    assert ByteBPE(chat_template="chatml").fingerprint() == "e00578f25e9d887c"
    assert Characters().fingerprint() == "bddc660af2818b57"
    others = [
        component("byte_bpe", **options)
        for options in ({"specials": "bert"}, {"sentinels": 1}, {"extra": ("<a>",)}, {"languages": ("en",)}, {})
    ]
    assert len({other.fingerprint() for other in others}) == 5
