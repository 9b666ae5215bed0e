"""What the kinds learn: the same from the same rows in every process, within their size, from a sample of large data."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import Any

import pytest

from smolrecipes import ByteBPE, Unigram, WordPiece, Words
from smolrecipes.data.rows import make
from smolrecipes.data.toy import Toy
from smolrecipes.errors import RecipeError
from smolrecipes.tokenizers.learned import frequent, sample
from smolrecipes.tokenizers.likelihood import Graph, pieces

KINDS = (ByteBPE, Unigram, WordPiece, Words)
AGAIN = """
import hashlib
from smolrecipes import ByteBPE, Unigram, WordPiece, Words
from smolrecipes.data.toy import Toy
rows = Toy("stories", rows=200).load()
for cls in (ByteBPE, Unigram, WordPiece, Words):
    print(hashlib.sha256(cls(vocab_size=600).build(rows).backend_tokenizer.to_str().encode()).hexdigest())
"""


def of(texts: list[str]) -> Any:
    return make("text", ({"text": text, "origin": f"here:{i}"} for i, text in enumerate(texts)))


def test_another_process_learns_the_same(python: Any) -> None:
    """The library's own trainers of Unigram and WordPiece do not: every process hashes in an order of its own."""
    rows = Toy("stories", rows=200).load()
    here = [
        hashlib.sha256(cls(vocab_size=600).build(rows).backend_tokenizer.to_str().encode()).hexdigest() for cls in KINDS
    ]
    assert python("-c", AGAIN, TOKENIZERS_PARALLELISM="false").stdout.split() == here


@pytest.mark.parametrize("cls", KINDS)
def test_the_vocabulary_is_as_large_as_asked_also_with_many_letters(cls: Any) -> None:
    rows = of([f"{chr(0x4E00 + i)}{chr(0x4E00 + i % 40)} ♥a🙂b the cat {i}" for i in range(600)])
    size = len(cls(vocab_size=400).build(rows))
    assert size == 400 or (cls is Unigram and 200 < size < 400)  # letters as frequent as others are all left out
    few = cls(vocab_size=8192).build(of(["the cat sat on the mat"] * 3))
    assert len(few) <= 8192 and few.decode(few("the cat sat")["input_ids"]) == "the cat sat"


@pytest.mark.parametrize("cls", [Unigram, WordPiece, Words])
def test_a_word_of_the_text_that_is_also_a_control_token_has_one_id(cls: Any) -> None:
    tokenizer = cls(vocab_size=200, extra=("cat",)).build(of(["the cat sat", "a cat"] * 20))
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    asked = tokenizer.convert_tokens_to_ids("cat")
    assert asked in tokenizer("the cat")["input_ids"]
    assert asked not in tokenizer("the cat", split_special_tokens=True)["input_ids"]


def test_frequent_never_depends_on_a_tie() -> None:
    assert frequent(Counter("aaabbbccd"), 3) == ["a", "b", "c"]
    assert frequent(Counter("aaabbccd"), 2) == ["a"]
    assert frequent(Counter("abc"), 3) == ["a", "b", "c"]


def test_counts_and_the_likeliest_cut_as_computed_by_hand() -> None:
    """`ab` is cut as a+b (0.3 × 0.2) or ab (0.5): expected uses follow from their shares."""
    graph = Graph.of(["ab", "b"], ["a", "b", "ab"])
    import numpy as np

    chances = np.array([0.3, 0.2, 0.5])
    together = 0.06 / 0.56
    expected = [2 * together, 2 * together + 3, 2 * (1 - together)]
    assert graph.expected(chances, np.array([2.0, 3.0])) == pytest.approx(expected)
    assert graph.likeliest(np.log(chances)) == pytest.approx([math.log(0.5), math.log(0.2)])
    assert Graph.of(["ab"], ["a", "b", "ab"], whole=False).likeliest(np.log(chances)) == pytest.approx([math.log(0.06)])
    only = graph.only(np.array([0, 1]))
    assert only.likeliest(np.log(chances[:2])) == pytest.approx([math.log(0.06), math.log(0.2)])


def test_pieces_are_as_many_as_asked_with_every_letter_and_the_frequent_words() -> None:
    words = {"the": 900, "then": 300, "hen": 5, "tin": 4, "xyz": 1}
    found = dict(pieces(words, 12))
    assert {"the", "then"} <= set(found) and "xyz" not in found  # what is there once is no piece
    assert set("".join(words)) <= set(found) and len(found) == 12
    assert sum(map(math.exp, found.values())) == pytest.approx(1, abs=1e-3)
    assert list(found)[:2] == ["the", "then"]  # the likeliest first


@pytest.mark.parametrize("cls", [Unigram, WordPiece])
@pytest.mark.parametrize("texts", [["", " \n"], ["".join(map(chr, range(0x4E00, 0x4E00 + 900)))]], ids=["none", "rare"])
def test_text_without_anything_to_learn_is_a_sentence(cls: Any, texts: list[str]) -> None:
    with pytest.raises(RecipeError, match=f"{cls.__name__}: the rows hold no text to learn from"):
        cls(vocab_size=420).build(of(texts))


def test_every_letter_is_a_piece_also_where_they_are_more_than_asked() -> None:
    assert {piece for piece, _ in pieces({"abc": 2, "abd": 2}, 3)} == set("abcd")


def test_unigram_makes_text_no_longer_than_the_library_s_own_trainer() -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers import models, pre_tokenizers, trainers

    texts = Toy("stories", rows=300).load()["text"][:]
    theirs: Any = Backend(models.Unigram())
    theirs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.UnigramTrainer(vocab_size=600, special_tokens=["?"], unk_token="?", show_progress=False)
    theirs.train_from_iterator(texts, trainer)
    ours = Unigram(vocab_size=600).build(of(texts))
    length = sum(len(ids) for ids in ours(texts)["input_ids"])
    assert length <= sum(len(theirs.encode(text).ids) for text in texts)


def test_a_sample_takes_from_rows_that_take_turns_and_is_the_same_again() -> None:
    rows = of([f"{'en' if i % 2 else 'it'}{i:05d}" + "x" * 93 for i in range(4000)])
    for limit in (220_000, 110_000):  # half of the rows, a quarter: a fixed step would take one language only
        found = list(sample(rows, limit))
        assert 0.5 * limit < sum(map(len, found)) < 1.5 * limit
        assert 0.3 < sum(text.startswith("en") for text in found) / len(found) < 0.7
        assert found == list(sample(rows, limit))


def test_few_long_rows_are_sampled_in_pieces() -> None:
    rows = of(["".join(f"{i:06d} " for i in range(100_000))] * 2)
    found = list(sample(rows, 140_000))
    assert 70_000 < sum(map(len, found)) < 280_000
    assert max(int(text.split()[1]) for text in found) > 80_000  # not only the beginning


def test_a_part_of_rows_is_sampled_by_its_own_size() -> None:
    rows = of([f"{i:05d}" + "x" * 95 for i in range(4000)])
    assert len(list(sample(rows.select(range(400)), 40_000))) > 250
