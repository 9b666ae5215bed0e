"""Llama: what is built is what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from smolrecipes.architectures.causal import Causal
from smolrecipes.architectures.llama import Llama
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.errors import RecipeError


@pytest.fixture
def tokenizer(words: Any) -> Any:
    return words(300, pad=1, bos=None, eos=0)


@pytest.mark.parametrize("tied", [True, False])
def test_the_sizes_are_those_asked_for(tied: bool, tokenizer: Any) -> None:
    asked = Llama(layers=3, hidden=48, heads=4, kv_heads=2, ffn=80, max_length=99, rope_theta=500.0, tied=tied)
    model: Any = asked.build(tokenizer)
    assert len(model.model.layers) == 3
    assert model.model.embed_tokens.weight.shape == model.lm_head.weight.shape == (300, 48)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) is tied
    for layer in model.model.layers:
        attention = layer.self_attn
        shapes = [getattr(attention, f"{name}_proj").weight.shape for name in "qkvo"]
        assert shapes == [(48, 48), (24, 48), (24, 48), (48, 48)]  # 4 heads of 12 positions; 2 for keys and values
        assert layer.mlp.gate_proj.weight.shape == layer.mlp.up_proj.weight.shape == (80, 48)
        assert layer.mlp.down_proj.weight.shape == (48, 80)
        assert attention.q_proj.bias is None
    assert model.config.max_position_embeddings == 99
    assert model.config.rope_parameters["rope_theta"] == 500.0
    expected = 1 / 500.0 ** (torch.arange(0, 12, 2) / 12)
    torch.testing.assert_close(model.model.rotary_emb.inv_freq, expected)
    assert (model.config.eos_token_id, model.config.pad_token_id, model.config.bos_token_id) == (0, 1, None)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model(input_ids=torch.tensor([[5, 6, 7]])).logits.shape == (1, 3, 300)


@pytest.mark.parametrize(("hidden", "ffn"), [(192, 512), (128, 352), (32, 96), (48, 128)])
def test_without_a_width_the_feed_forward_layer_is_8_thirds_rounded_up_to_32(
    hidden: int, ffn: int, tokenizer: Any
) -> None:
    model: Any = Llama(layers=1, hidden=hidden, heads=2).build(tokenizer)
    assert model.model.layers[0].mlp.up_proj.weight.shape == (ffn, hidden)
    assert model.model.layers[0].self_attn.k_proj.weight.shape == (hidden, hidden)  # as many key heads as heads


@pytest.mark.parametrize(("given", "std"), [({}, (2 / (5 * 64)) ** 0.5), ({"init_std": 0.02}, 0.02)])
def test_the_first_weights_have_the_deviation_asked_for(given: dict[str, float], std: float, tokenizer: Any) -> None:
    torch.manual_seed(0)
    model: Any = Llama(layers=1, hidden=64, heads=2, **given).build(tokenizer)
    for weight in (model.model.embed_tokens.weight, model.model.layers[0].mlp.up_proj.weight):
        assert float(weight.detach().std()) == pytest.approx(std, rel=0.03)
    assert bool((model.model.norm.weight == 1).all())


def test_the_weights_follow_the_seed(tokenizer: Any) -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(Llama(layers=1, hidden=32, heads=2).build(tokenizer).get_input_embeddings().weight)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_a_head_that_scores(tokenizer: Any) -> None:
    model: Any = Llama(layers=1, hidden=32, heads=2).build(tokenizer, "sequence-classification", 3)
    assert model.score.weight.shape == (3, 32)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"hidden": 100, "heads": 3}, "Llama: hidden=100 over heads=3 is 33.3333 per head; rotary positions need"),
        (
            {"hidden": 12, "heads": 4},
            "Llama: hidden=12 over heads=4 is 3 per head; rotary positions need a whole, even",
        ),
        ({"hidden": 48, "heads": 6, "kv_heads": 4}, "Llama: heads=6 is not a multiple of kv_heads=4"),
        ({"layers": 0}, "Llama.layers: should be greater than 0, not 0"),
        ({"hiden": 3}, "Llama has no option 'hiden'; did you mean 'hidden'?"),
    ],
)
def test_wrong_sizes_are_sentences(given: dict[str, int], sentence: str) -> None:
    with pytest.raises(RecipeError) as found:
        Llama(**given)  # type: ignore[arg-type]
    assert str(found.value).startswith(sentence)


def test_an_unknown_head_is_a_sentence(tokenizer: Any) -> None:
    with pytest.raises(RecipeError, match="no head named 'casual'; did you mean 'causal'"):
        Llama(layers=1, hidden=32, heads=2).build(tokenizer, "casual")


@pytest.mark.parametrize("large", [Llama(layers=6_000, hidden=8_192, heads=64), Causal("olmo2", layers=6_000, hidden=8_192, heads=64)])  # fmt: skip
def test_a_model_larger_than_the_memory_is_a_sentence(large: Scratch, tokenizer: Any) -> None:
    with pytest.raises(RecipeError, match=r"weights take [\d,.]+ GiB, and [\d,.]+ GiB are free; build it smaller"):
        large.build(tokenizer)
