"""What comes back of a text, in numbers that were counted by hand; and what a run says of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import Files, Recipe, RecipeError, Training, WordPiece, Words
from smolrecipes.assemble import some_texts
from smolrecipes.data.rows import make
from smolrecipes.tokenizers.report import lost, pieces, report

EXACT = ("byte_bpe", "bytes")


@given(text=st.text() | st.lists(st.sampled_from(["<|pad|>", "[SEP]", " ", "\n", "é", "🙂", "\x00"])).map("".join))
@settings(max_examples=100)
@pytest.mark.parametrize("exact", EXACT)
@pytest.mark.parametrize("family", ["gpt", "bert", "t5", "xlnet"])
def test_every_text_comes_back_exactly(made: Any, exact: str, family: str, text: str) -> None:
    tokenizer = made(exact, family)
    for split in (True, False):
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=split)["input_ids"]
        assert tokenizer.decode(ids) == text
    assert lost(tokenizer, [text]) == ""


@given(text=st.text(alphabet="Anna lost\n"))
@settings(max_examples=100)
@pytest.mark.parametrize("spaced", ["characters", "unigram"])
def test_what_is_known_comes_back_with_its_spaces(made: Any, spaced: str, text: str) -> None:
    tokenizer = made(spaced)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_what_does_not_come_back_is_said(made: Any) -> None:
    assert lost(made("word_piece"), ["Anna lost a red key"] * 3) == ""
    assert lost(made("words"), ["Anna  lost a red key"]) == (
        "tokenizer: 5.0 % of the characters of a sample do not come back (spaces)"
    )
    assert lost(made("characters"), ["Anna", "Zzna"]) == (
        "tokenizer: 25.0 % of the characters of a sample do not come back (unknown characters)"
    )
    many = ["Anna lost a red key in the garden."] * 99 + ["a  red"]
    assert lost(made("words"), many).startswith("tokenizer: less than 0.1 % of the characters")


def test_normalizers_lose_what_they_change_and_say_so(component: Any, few: Any) -> None:
    plain = component("word_piece", normalizers=("lowercase", "strip_accents")).build(few)
    assert plain.decode(plain("Il gatto è tornato")["input_ids"]) == "il gatto e tornato"
    assert lost(plain, ["Il gatto è tornato"]).endswith("come back (accents, case)")
    assert (
        component("unigram", normalizers=("nfkc",)).build(few)("ﬁve")["input_ids"]
        == (component("unigram", normalizers=("nfkc",)).build(few)("five")["input_ids"])
    )


def test_the_numbers_are_those_counted_by_hand(made: Any) -> None:
    found = report(made("words"), {"en": ["Anna lost a blue key.", "one"], "it": ["perché"]})
    english, italian = found.groups["en"], found.groups["it"]
    assert (english.words, english.tokens, english.unknown, english.characters) == (6, 7, 1, 24)
    assert english.fertility == pytest.approx(7 / 6) and english.unknown_rate == pytest.approx(1 / 7)
    assert english.bytes_per_token == pytest.approx(24 / 7) and italian.bytes_per_token == 7
    assert english.changed == pytest.approx(5 / 24) and english.reasons == ("unknown characters",)
    assert found.used == 8 and found.vocabulary == len(made("words"))
    assert found.split == {"en": ["Anna", "lost", "a", "blue", "key", "."], "it": ["perché"]}
    assert found.longest[0] == "assistant" and not any("<|" in token for token in found.longest)


def test_bytes_are_counted_in_utf_8(made: Any) -> None:
    figures = report(made("bytes"), {"": ["è 🙂"]}).groups[""]
    assert (figures.bytes, figures.tokens, figures.bytes_per_token, figures.changed) == (7, 7, 1.0, 0.0)


def test_a_text_is_cut_where_its_tokens_are(kind: str, made: Any) -> None:
    text = "Anna lost a red key 🙂é"
    cut = pieces(made(kind), text)
    assert "".join(cut).replace(" ", "") == text.replace(" ", "")
    assert len(cut) == len(made(kind)(text)["input_ids"])


@pytest.mark.parametrize(("learns", "said"), [(WordPiece(vocab_size=420), "spaces"), (Words(vocab_size=150), "spaces")])
def test_a_run_begins_with_what_its_tokenizer_loses(
    learns: Any, said: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from smolrecipes import CLM, ByteBPE, Llama, run
    from smolrecipes.console import console

    console.cache_clear()
    (tmp_path / "a.txt").write_text("Anna lost a red key.\n\nIl gatto  è tornato\n\n" * 30, encoding="utf-8")
    training = Training(epochs=None, steps=1, global_batch_size=2, max_length=32, device="cpu")
    small = Llama(hidden=16, layers=1, heads=2, kv_heads=1)
    for tokenizer in (learns, ByteBPE(vocab_size=300)):
        data = Files(str(tmp_path / "a.txt"))
        parts = {"tokenizer": tokenizer, "model": small, "objective": CLM(), "training": training, "validation": 0}
        run(Recipe(data=data, **parts), runs=tmp_path)
        shown = capsys.readouterr().out
        assert ("do not come back" in shown) is (tokenizer is learns)
        assert tokenizer is not learns or f"% of the characters of a sample do not come back ({said}" in shown


def test_a_sample_is_of_a_hundred_rows_at_most() -> None:
    for count in (1, 99, 100, 101, 199, 250):
        texts = some_texts(make("text", ({"text": str(i), "origin": "a:1"} for i in range(count))))
        assert min(count, 50) <= len(texts) <= 100 and texts[0] == "0"


@pytest.mark.parametrize("name", ["ByT5Tokenizer", "CanineTokenizer"])
def test_a_tokenizer_without_a_rust_side_is_told_by_its_tokens(name: str) -> None:
    import transformers

    found = report(getattr(transformers, name)(), {"en": ["Anna è"]})
    assert found.groups["en"].tokens == len(found.split["en"]) == (7 if name == "ByT5Tokenizer" else 6)
    assert found.split["en"][:5] == list("Anna ")


def test_without_rows_there_is_a_sentence(kind: str, component: Any) -> None:
    if kind == "bytes":
        assert len(component(kind).build(None)) == 260
        return
    with pytest.raises(RecipeError, match="there are no rows to learn from"):
        component(kind).build(None)
