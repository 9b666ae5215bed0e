"""Any causal model of transformers by its type: sizes, and that it writes from left to right."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from smolrecipes import Causal, RecipeError
from smolrecipes.architectures.sizes import readable

SIZES: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2}


@pytest.mark.parametrize("kind", ["olmo2", "mistral", "phi3", "stablelm"])
def test_it_is_built_by_its_sizes(kind: str, words: Any) -> None:
    model: Any = Causal(kind, layers=3, hidden=32, heads=2, ffn=80, max_length=24).build(words())
    assert (model.config.model_type, len(model.model.layers), readable(model.config)) == (kind, 3, 24)
    assert (model.config.pad_token_id, model.config.eos_token_id) == (3, 7)


@pytest.mark.parametrize("kind", ["olmo2", "mistral", "phi", "gpt_neox", "mpt", "bloom", "opt", "falcon"])
def test_a_later_token_changes_no_earlier_logit(kind: str, words: Any) -> None:
    torch.manual_seed(0)
    attention: Any = "eager" if kind in ("mpt", "bloom") else "sdpa"
    model = Causal(kind, attention=attention, **SIZES).build(words()).eval()
    one = torch.randint(10, 50, (1, 8))
    other = one.clone()
    other[0, 5] = 10 + (one[0, 5] - 9) % 40
    with torch.no_grad():
        change = (model(input_ids=one).logits - model(input_ids=other).logits).abs().amax(-1)[0]
    assert float(change[:5].max()) < 1e-6 < 1e-4 < float(change[5:].min())


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlnet", "xlm", "electra", "bert-generation", "bart", "marian"])
def test_a_type_that_reads_both_ways_is_refused(kind: str, words: Any) -> None:
    """transformers has a causal class of each, whose mask is causal only in a decoder that another model brings along."""
    with pytest.raises(RecipeError, match=f"^Causal: {kind} models read both ways, so they would see what they should"):
        Causal(kind, **SIZES).build(words())


def test_a_type_without_a_length_reads_any(words: Any) -> None:
    model: Any = Causal("bloom", attention="eager", **SIZES).build(words())
    assert readable(model.config) is None


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Causal("olmo22"), "Causal: transformers has no causal model type 'olmo22'; the nearest are olmo2"),
        (Causal("mpt"), "Causal: transformers has no sdpa for mpt models; set attention=eager"),
        (Causal("gpt2", kv_heads=2), "Causal: gpt2 models have no kv_heads; leave it out"),
        (Causal("bloom", max_length=99), "Causal: bloom models have no max_length; leave it out"),
        (Causal("mamba"), "Causal: layers, hidden and heads do not say how large mamba models are; take another type"),
        (Causal("rwkv"), "Causal: layers, hidden and heads do not say how large rwkv models are; take another type"),
        (Causal("gemma3"), "Causal: layers, hidden and heads do not say how large gemma3 models are; take gemma3_text"),
        (Causal("llama4"), "Causal: layers, hidden and heads do not say how large llama4 models are; take llama4_text"),
        (Causal("git"), "Causal: layers, hidden and heads do not say how large git models are; take another type"),
        (Causal("zamba", **SIZES), "Causal: transformers refuses these sizes for zamba models: Class validation error"),
    ],
)
def test_what_cannot_be_is_a_sentence(model: Causal, sentence: str, words: Any) -> None:
    with pytest.raises(RecipeError) as found:
        model.build(words())
    assert str(found.value).startswith(sentence)
