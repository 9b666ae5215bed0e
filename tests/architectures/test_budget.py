"""A budget of parameters: what is built has it, its sizes are balanced, and the reason is said."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import BERT, Causal, Llama, RecipeError, Scratch
from smolrecipes.builtin import smolrecipes_register_architectures

FAMILIES = [
    kind for kind in smolrecipes_register_architectures() if issubclass(kind, Scratch) and not issubclass(kind, Causal)
]


class Words(SimpleNamespace):
    """As much of a tokenizer as an architecture reads."""

    size: int

    def __len__(self) -> int:
        return self.size


def count(model: Scratch, vocabulary: int) -> int:
    """Parameters of what is really built."""
    ids = {f"{name}_token_id": i for i, name in enumerate(("pad", "bos", "eos", "cls", "sep", "mask"))}
    words: Any = Words(size=vocabulary, **ids)
    with torch.device("meta"):
        return sum(weight.numel() for weight in model.build(words).parameters())


@given(family=st.sampled_from(FAMILIES), power=st.floats(math.log(0.3e6), math.log(1e9)))
@settings(max_examples=20, derandomize=True)
def test_what_is_built_has_the_budget(family: type[Scratch], power: float) -> None:
    budget = round(math.exp(power))
    plan = family.plan(budget)
    model = plan.model
    assert plan.parameters == count(model, plan.vocabulary) == pytest.approx(budget, rel=0.05)
    assert model.hidden // model.heads in (32, 64) and model.hidden % model.heads == 0
    assert 0.6 < model.width / model.replace(ffn=None).width < 1.5
    assert plan.vocabulary * 1.01 >= 256 and plan.vocabulary * model.embeddings < 0.5 * budget
    assert f"vocabulary of {plan.vocabulary:,}" in plan.why and f"{model.layers} layers of {model.hidden}" in plan.why


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("more", [{}, {"max_length": 100}])
def test_parameters_are_counted_without_building(family: type[Scratch], more: dict[str, int]) -> None:
    model = family(layers=4, hidden=64, heads=2, **more)  # type: ignore[arg-type]
    assert model.parameters(300) == count(model, 300)
    if family.hints()["tied"] is bool:
        assert model.replace(tied=False).parameters(300) == count(model.replace(tied=False), 300)


def test_a_budget_is_a_word_or_a_number() -> None:
    assert Llama.sized("10M") == Llama.sized(10_000_000) == Llama.plan("0.01B").model
    assert Llama.sized("3m").layers > 2


def test_the_tokenizer_and_the_data_decide_the_vocabulary() -> None:
    with_one = Llama.plan("10M", vocabulary=8000)
    assert with_one.vocabulary == 8000 and with_one.parameters == pytest.approx(10e6, rel=0.02)
    assert Llama.plan("30M").vocabulary == 8192 > Llama.plan("30M", tokens=400_000).vocabulary


def test_larger_budgets_go_to_depth_and_width() -> None:
    plans = [BERT.plan(budget).model for budget in ("1M", "10M", "100M", "1B")]
    assert sorted(plans, key=lambda one: one.layers) == plans == sorted(plans, key=lambda one: one.hidden)
    assert all(20 <= one.hidden / one.layers <= 60 for one in plans)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Llama.sized("ten"), "Llama: a budget is a number of parameters such as 10M or 300_000, not 'ten'"),
        (lambda: Llama.sized("5B"), "Llama: a budget lies between 0.2M and 2B parameters, not '5B'"),
        (
            lambda: Llama.sized("1M", vocabulary=50_000),
            "Llama: no balanced sizes have 1 M parameters with a vocabulary of",
        ),
        (lambda: Causal.sized("1M"), "Causal: give it sizes; a budget is for the named families"),
    ],
)
def test_what_cannot_be_is_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(RecipeError) as found:
        make()
    assert str(found.value).startswith(sentence)
