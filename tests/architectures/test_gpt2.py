"""GPT2: what is built is what was asked for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from smolrecipes import CLM, GPT2, Characters, Recipe, Toy, Training
from smolrecipes.architectures.sizes import check_sizes
from smolrecipes.errors import RecipeError


@pytest.fixture
def tokenizer(words: Any) -> Any:
    return words(300, pad=1, bos=None, eos=0)


@pytest.mark.parametrize("tied", [True, False])
def test_the_sizes_are_those_asked_for(tied: bool, tokenizer: Any) -> None:
    model: Any = GPT2(layers=3, hidden=48, heads=4, ffn=80, max_length=99, tied=tied).build(tokenizer)
    body = model.transformer
    assert len(body.h) == 3
    assert body.wte.weight.shape == model.lm_head.weight.shape == (300, 48)
    assert body.wpe.weight.shape == (99, 48)
    assert (model.lm_head.weight is body.wte.weight) is tied
    for block in body.h:
        assert block.attn.c_attn.weight.shape == (48, 144) and block.attn.c_proj.weight.shape == (48, 48)
        assert block.mlp.c_fc.weight.shape == (48, 80) and block.mlp.c_proj.weight.shape == (80, 48)
        assert block.attn.c_attn.bias.shape == (144,) and block.ln_1.bias.shape == (48,)
        assert block.attn.num_heads == 4
    assert (model.config.eos_token_id, model.config.pad_token_id, model.config.bos_token_id) == (0, 1, None)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model(input_ids=torch.tensor([[5, 6, 7]])).logits.shape == (1, 3, 300)


def test_the_parameters_are_those_of_the_formula(tokenizer: Any) -> None:
    """GPT-2's own: 12 d^2 + 13 d in a block, two tables, the last norm; with the head tied, nothing more."""
    model: Any = GPT2(layers=2, hidden=32, heads=2, max_length=64).build(tokenizer)
    assert sum(w.numel() for w in model.parameters()) == 2 * (12 * 32**2 + 13 * 32) + 32 * (300 + 64) + 2 * 32


def test_the_first_weights_are_gpt_2_s(tokenizer: Any) -> None:
    torch.manual_seed(0)
    model: Any = GPT2(layers=8, hidden=64, heads=2, max_length=256, init_std=0.02).build(tokenizer)
    body, block = model.transformer, model.transformer.h[3]
    for weight in (body.wte.weight, body.wpe.weight, block.attn.c_attn.weight, block.mlp.c_fc.weight):
        assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    for weight in (block.attn.c_proj.weight, block.mlp.c_proj.weight):
        assert float(weight.detach().std()) == pytest.approx(0.02 / math.sqrt(16), rel=0.05)
    assert not block.attn.c_attn.bias.any() and bool((block.ln_1.weight == 1).all())
    narrow: Any = GPT2(layers=1, hidden=64, heads=2).build(tokenizer)
    assert float(narrow.transformer.wte.weight.detach().std()) == pytest.approx(0.079, rel=0.05)


def test_the_activation_is_gpt_2_s(tokenizer: Any) -> None:
    model: Any = GPT2(layers=1, hidden=32, heads=2).build(tokenizer)
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    gelu = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    torch.testing.assert_close(model.transformer.h[0].mlp.act(x), gelu)
    exact: Any = GPT2(layers=1, hidden=32, heads=2, activation="gelu").build(tokenizer)
    normal = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    torch.testing.assert_close(exact.transformer.h[0].mlp.act(x), x * normal)


def test_dropout_is_off_unless_asked_for(tokenizer: Any) -> None:
    rates = lambda model: {part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)}  # noqa: E731
    assert rates(GPT2(layers=1, hidden=32, heads=2).build(tokenizer)) == {0.0}
    assert rates(GPT2(layers=1, hidden=32, heads=2, dropout=0.2).build(tokenizer)) == {0.2}


def test_the_weights_follow_the_seed(tokenizer: Any) -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(GPT2(layers=1, hidden=32, heads=2).build(tokenizer).get_input_embeddings().weight)
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_a_head_that_scores(tokenizer: Any) -> None:
    model: Any = GPT2(layers=1, hidden=32, heads=2).build(tokenizer, "sequence-classification", 3)
    assert model.score.weight.shape == (3, 32)


def test_a_model_of_other_sizes_than_asked_for_is_a_sentence(tokenizer: Any) -> None:
    model = GPT2(layers=1, hidden=32, heads=2).build(tokenizer)
    assert check_sizes(model, "GPT2", layers=1, hidden=32, vocabulary=300) is model
    with pytest.raises(
        RecipeError, match=r"GPT2: .* builds it with layers 1, not 2 and .* \(300, 32\), not \(300, 48\)"
    ):
        check_sizes(model, "GPT2", layers=2, hidden=48, vocabulary=300)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"hidden": 100, "heads": 3}, "GPT2: hidden=100 over heads=3 is 33.3333 per head; it must be whole"),
        ({"layers": 0}, "GPT2.layers: should be greater than 0, not 0"),
        ({"dropout": 1}, "GPT2.dropout: should be less than 1, not 1"),
        ({"hiden": 3}, "GPT2 has no option 'hiden'; did you mean 'hidden'?"),
    ],
)
def test_wrong_sizes_are_sentences(given: dict[str, int], sentence: str) -> None:
    with pytest.raises(RecipeError) as found:
        GPT2(**given)  # type: ignore[arg-type]
    assert str(found.value).startswith(sentence)


def test_rows_longer_than_its_positions_are_refused_before_training(tmp_path: Path) -> None:
    recipe = Recipe(
        tokenizer=Characters(),
        model=GPT2(layers=1, hidden=32, heads=2, max_length=16),
        data=Toy("stories", rows=10),
        objective=CLM(),
        training=Training(steps=1, max_length=32),
    )
    with pytest.raises(
        RecipeError, match=r"training.max_length=32: the model reads 16 tokens at most; .*max_length=16"
    ):
        recipe.trainer(tmp_path)
    assert len(recipe.override("training.max_length=16").trainer(tmp_path).parts.train[0]["input_ids"]) == 17
