"""T5's and BART's damage: exactly invertible, in the shares asked for."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import FIM, Infilling, Layout, RecipeError, SpanCorruption, WordPiece, Words
from smolrecipes.examples import lengths
from smolrecipes.objectives.fim import MARKS
from smolrecipes.objectives.spans import corrupt, holes, infill, permute, sentinels

MARK = range(1000, 1200)
TEXT = "One dog runs. Two cats sleep! Do three birds sing? Four fish swim. "


def restored(seen: list[int], target: list[int]) -> list[int]:
    """The text, from what was seen and what was missing."""
    parts: dict[int, list[int]] = {}
    for one in target:
        if one in MARK:
            parts[one] = last = []
        else:
            last.append(one)
    return [token for one in seen for token in (parts[one] if one in MARK else [one])]


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 999), min_size=1, max_size=150),
    st.floats(0.01, 0.95), st.floats(1, 12), st.integers(0, 99),
)  # fmt: skip
def test_a_text_comes_back_from_its_source_and_target(ids: list[int], density: float, span: float, seed: int) -> None:
    seen, target = corrupt(ids, np.random.default_rng(seed), MARK, density, span)
    assert restored(seen, target) == ids
    cut, count = holes(len(ids), density, span)
    marks = [one for one in seen if one in MARK]
    assert marks == [one for one in target if one in MARK] == list(MARK)[:count]
    assert len(target) == cut + count and len(seen) == len(ids) - cut + count
    assert not any(a in MARK and b in MARK for a, b in zip(seen, seen[1:]))


def test_holes_have_the_length_asked_for() -> None:
    assert holes(512, 0.15, 3.0) == (77, 26)
    rng, lengths = np.random.default_rng(0), []
    for _ in range(300):
        _, target = corrupt(list(range(500)), rng, MARK, 0.15, 3.0)
        lengths += [
            len(part.split()) for part in re.split("M", " ".join("M" if t in MARK else "x" for t in target))[1:]
        ]
    assert np.mean(lengths) == pytest.approx(75 / 25) and min(lengths) == 1 and max(lengths) > 10


@settings(max_examples=100)
@given(
    st.lists(st.integers(1, 999), min_size=1, max_size=60), st.floats(0.05, 0.9), st.floats(0.5, 8), st.integers(0, 9)
)
def test_what_is_left_of_an_infilled_text_is_in_order(ids: list[int], share: float, span: float, seed: int) -> None:
    made = infill(ids, np.random.default_rng(seed), 0, share, span)
    left = [one for one in made if one]
    assert len(left) == len(ids) - round(len(ids) * share)
    pattern = "".join(f"(?:{one},)" if one else r"(?:\d+,)*" for one in made)
    assert re.fullmatch(pattern, "".join(f"{one}," for one in ids))
    assert not any(a == b == 0 for a, b in zip(made, made[1:]))


def test_some_holes_of_an_infilled_text_were_nothing() -> None:
    rng, ids = np.random.default_rng(0), list(range(1, 201))
    counts = [infill(ids, rng, 0, 0.3, 3.0).count(0) for _ in range(300)]
    # 60 tokens in Poisson(3) holes, of which e^-3 are empty: about 20 or 21 of them
    assert np.mean(counts) == pytest.approx(20.5, abs=1)


def built(kind: Any) -> Any:
    return kind.build(Dataset.from_dict({"text": [TEXT] * 3, "origin": ["a:1"] * 3}))


def test_sentences_change_places_whole() -> None:
    tokenizer = built(WordPiece(vocab_size=200, specials="bart"))
    ids = np.array(tokenizer(TEXT, add_special_tokens=False)["input_ids"])
    moved = tokenizer.decode(permute(ids, np.random.default_rng(2), tokenizer))
    sentences = re.findall(r"[^.!?]+[.!?]", TEXT)
    assert sorted(s.strip() for s in re.findall(r"[^.!?]+[.!?]", moved)) == sorted(s.strip() for s in sentences)
    assert moved.strip() != TEXT.strip()


def test_bart_reads_damage_and_writes_the_text() -> None:
    tokenizer = built(WordPiece(vocab_size=200, specials="bart"))
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    made = Infilling().draw({"input_ids": ids}, np.random.default_rng(0), tokenizer)
    assert made["target_ids"].tolist() == tokenizer(TEXT)["input_ids"]
    assert tokenizer.mask_token_id in made["input_ids"] and made["input_ids"][0] == tokenizer.bos_token_id


def test_too_few_sentinels_are_a_sentence() -> None:
    tokenizer = built(Words(vocab_size=200, specials="t5", sentinels=3))
    assert len(sentinels(tokenizer)) == 3
    examples = Dataset.from_dict({"input_ids": [[1, 2]], "origin": ["a:1"]})
    with pytest.raises(RecipeError, match=r"has 6 holes, and the tokenizer has 3 sentinels; .*tokenizer.sentinels=6"):
        SpanCorruption().arrange(examples, 128, tokenizer)


def test_what_the_decoder_writes_counts_as_what_the_encoder_reads() -> None:
    """In the tokens of a run and of a pass: all of a text is written."""
    tokenizer = built(WordPiece(vocab_size=120, specials="bart"))
    examples = Dataset.from_dict({"input_ids": [[20] * 40, [21] * 30], "origin": ["a:1", "a:2"]})
    arranged = Infilling(documents="separate").arrange(examples, 128, tokenizer)
    assert lengths(arranged).tolist() == [80, 60]
    drawn = [Infilling(permute=False).draw(one, np.random.default_rng(0), tokenizer) for one in arranged]
    seen = Infilling().collate(drawn, Layout())["input_tokens"]
    assert 0.75 * 140 < seen < 1.1 * 140


@settings(max_examples=60)
@given(st.integers(0, 500), st.integers(1, 40))
def test_a_document_comes_back_from_its_middle(seed: int, size: int) -> None:
    tokenizer, ids = filled(), list(range(20, 20 + size))
    made = FIM(rate=1.0).draw({"input_ids": ids}, np.random.default_rng(seed), tokenizer)["input_ids"]
    known = tokenizer.get_vocab()
    prefix, suffix, middle = (made.index(known[mark]) for mark in MARKS)
    assert made[-1] == tokenizer.eos_token_id and prefix == 0
    if suffix == 1:  # the end, then the beginning and the middle in one
        assert made[middle + 1 : -1] + made[suffix + 1 : middle] == ids
    else:
        assert made[1:suffix] + made[middle + 1 : -1] + made[suffix + 1 : middle] == ids


def test_shares_of_the_cut_documents() -> None:
    tokenizer, rng = filled(), np.random.default_rng(0)
    known = tokenizer.get_vocab()
    made = [FIM(rate=0.6, suffix_first=0.25).draw({"input_ids": [20] * 400}, rng, tokenizer) for _ in range(2000)]
    cut = [one["input_ids"] for one in made if known[MARKS[0]] in one["input_ids"]]
    assert len(cut) / 2000 == pytest.approx(0.6, abs=0.03)
    assert np.mean([one[1] == known[MARKS[1]] and one[0] == known[MARKS[0]] for one in cut]) == pytest.approx(
        0.25, abs=0.04
    )


_FILLED: list[Any] = []


def filled() -> Any:
    if not _FILLED:
        _FILLED.append(built(WordPiece(vocab_size=200, extra=MARKS)))
    return _FILLED[0]
