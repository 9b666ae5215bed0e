"""Sizes by the papers' names: as many parameters as the papers and the published weights have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from smolrecipes import (
    ALBERT,
    BART,
    BERT,
    ELECTRA,
    GPT,
    GPT2,
    GPT3,
    T5,
    DeBERTa,
    DeBERTaV3,
    DistilBERT,
    Gemma3,
    Llama,
    ModernBERT,
    Qwen3,
    RoBERTa,
    Scratch,
    SmolLM2,
    Transformer,
)

IDS = {"pad": 1, "bos": 0, "eos": 2, "cls": 0, "sep": 2, "mask": 3, "unk": 4}


class Words(SimpleNamespace):
    """As much of a tokenizer as an architecture reads."""

    size: int

    def __len__(self) -> int:
        return self.size


def built(model: Scratch, vocabulary: int, head: str = "") -> Any:
    words: Any = Words(size=vocabulary, **{f"{name}_token_id": value for name, value in IDS.items()})
    with torch.device("meta"):
        return model.build(words, head, 2)


def count(part: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in part.parameters())


@pytest.mark.parametrize(
    ("model", "vocabulary", "expected"),
    [
        (GPT2.small(), 50_257, 124_439_808),
        (GPT2.medium(), 50_257, 354_823_168),
        (GPT3.small(), 50_257, 125_198_592),
        (GPT.original(), 40_478, 116_534_784),
        (SmolLM2.m135(), 49_152, 134_515_008),
        (Llama.m360(), 49_152, 361_821_120),
        (Qwen3.m600(), 151_936, 596_049_920),
        (Gemma3.m270(), 262_144, 268_098_176),
        (T5.small(), 32_128, 60_506_624),
        (T5.base(), 32_128, 222_903_552),
        (BART.base(), 50_265, 139_420_416),
        (RoBERTa.base(), 50_265, 124_697_433),
    ],
    ids=repr,
)
def test_the_whole_model_has_the_published_size(model: Scratch, vocabulary: int, expected: int) -> None:
    assert count(built(model, vocabulary)) == expected


@pytest.mark.parametrize(
    ("model", "vocabulary", "expected"),
    [
        (BERT.base(), 30_522, 109_482_240),
        (ALBERT.base(), 30_000, 11_683_584),
        (DistilBERT.base(), 30_522, 66_362_880),
        (DeBERTa.base(), 50_265, 138_601_728),
        (DeBERTaV3.xsmall(), 128_100, 70_682_112),
        (ModernBERT.base(), 50_368, 149_014_272),
    ],
    ids=repr,
)
def test_the_body_has_the_published_size(model: Scratch, vocabulary: int, expected: int) -> None:
    """That of the published encoders, which bring a pooler where the pretraining has one."""
    head = "pretraining" if isinstance(model, (BERT, ALBERT)) else "masked"
    assert count(built(model, vocabulary, head).base_model) == expected


@pytest.mark.parametrize(
    ("model", "millions"),
    [(BERT.tiny(), 4.4), (BERT.mini(), 11.3), (BERT.small(), 29.1), (BERT.medium(), 41.7)],
    ids=repr,
)
def test_the_small_berts_have_the_sizes_of_their_table(model: Scratch, millions: float) -> None:
    """With both heads, as Google's own table counts them."""
    assert round(count(built(model, 30_522, "pretraining")) / 1e6, 1) == pytest.approx(millions, abs=0.11)


@pytest.mark.parametrize(
    ("model", "vocabulary", "millions"), [(Transformer.base(), 37_000, 65), (ELECTRA.small(), 30_522, 14)]
)
def test_others_are_near_what_their_papers_say(model: Scratch, vocabulary: int, millions: float) -> None:
    assert count(built(model, vocabulary)) / 1e6 == pytest.approx(millions, rel=0.04)
