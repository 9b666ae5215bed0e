"""The pure losses: numbers worked out by hand, and what must not matter."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes.objectives.losses import dpo_loss, log1mexp, odds_ratio_loss, sequence_sums


def test_sequence_sums():
    got = sequence_sums(torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([0, 2, 2, 0]), 4)
    assert got.tolist() == [9.0, 0.0, 6.0, 0.0]


@settings(max_examples=60)
@given(st.floats(-80, -1e-7))
def test_log1mexp_in_float32_has_full_precision(x):
    single = torch.tensor(x, dtype=torch.float32)
    exact = math.log(-math.expm1(single.item())) if single > -1 else math.log1p(-math.exp(single.item()))
    assert log1mexp(single).item() == pytest.approx(exact, rel=3e-6, abs=1e-30)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_log1mexp_is_finite_where_a_token_is_certain(dtype):
    x = torch.tensor([0.0, -1e-30, -1e-3, -1.0, -1e4], dtype=dtype, requires_grad=True)
    out = log1mexp(x)
    out.sum().backward()
    assert out.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert out.isfinite().all() and x.grad.isfinite().all()
    assert x.grad[3].item() == pytest.approx(-1 / (math.e - 1), rel=1e-2 if dtype == torch.bfloat16 else 1e-6)


def test_odds_ratio_loss_by_hand():
    # p = 1/2 has odds 1; p = 1/4 has odds 1/3: the ratio is 3, sigmoid(log 3) = 3/4
    half, quarter = torch.tensor([0.5, 0.25], dtype=torch.float64).log()
    assert odds_ratio_loss(half, quarter).item() == pytest.approx(-math.log(3 / 4), abs=1e-15)
    assert odds_ratio_loss(quarter, half).item() == pytest.approx(-math.log(1 / 4), abs=1e-15)
    assert odds_ratio_loss(half, half).item() == pytest.approx(math.log(2), abs=1e-15)


@pytest.mark.parametrize("pair", [(0.0, -1.0), (-1.0, 0.0), (0.0, 0.0), (-1e-9, -50.0), (-50.0, -1e-9)])
def test_odds_ratio_loss_is_finite_for_certain_answers(pair):
    chosen, rejected = (torch.tensor([x], requires_grad=True) for x in pair)
    loss = odds_ratio_loss(chosen, rejected)
    loss.sum().backward()
    assert loss.isfinite().all() and chosen.grad.isfinite().all() and rejected.grad.isfinite().all()


@settings(max_examples=40)
@given(st.floats(-20, -1e-3), st.floats(-20, -1e-3))
def test_odds_ratio_loss_and_its_mirror_image_are_log_probabilities_that_add_to_one(a, b):
    one, other = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    total = torch.exp(-odds_ratio_loss(one, other)) + torch.exp(-odds_ratio_loss(other, one))
    assert total.item() == pytest.approx(1.0, abs=1e-12)


def dpo(kind, beta, margin=2.0, **more):
    start = [torch.tensor([x], dtype=torch.float64) for x in (-3.0, -7.0, -4.0, -8.0 + margin)]
    return dpo_loss(*start, beta=beta, kind=kind, **more).item()


def test_dpo_losses_by_hand():
    # margin = (-3 + 4) - (-7 - (-8 + 2)) = 1 - (-1) = 2
    assert dpo("sigmoid", 0.5) == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-15)
    assert dpo("ipo", 0.1) == pytest.approx((2 - 5) ** 2, abs=1e-12)
    assert dpo("hinge", 0.1) == pytest.approx(0.8, abs=1e-15)
    assert dpo("hinge", 1.0) == 0.0
    right, wrong = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
    assert dpo("robust", 0.5, label_smoothing=0.2) == pytest.approx((0.8 * right - 0.2 * wrong) / 0.6, abs=1e-15)
    assert dpo("robust", 0.5) == pytest.approx(dpo("sigmoid", 0.5), abs=1e-15)


@pytest.mark.parametrize(("kind", "smoothing"), [("sigmoid", 0.1), ("ipo", 0.1), ("hinge", 0.1), ("kto", 0.0)])
def test_dpo_refuses_what_it_would_not_read(kind, smoothing):
    with pytest.raises(ValueError, match=kind):
        dpo(kind, 0.1, label_smoothing=smoothing)


@settings(max_examples=40)
@given(st.sampled_from(["sigmoid", "ipo", "hinge", "robust"]), st.floats(-30, 30), st.floats(-30, 30))
def test_dpo_depends_on_differences_alone(kind, prompt_shift, pair_shift):
    values = [torch.tensor([x], dtype=torch.float64) for x in (-3.0, -7.0, -4.0, -6.0)]
    moved = [x + prompt_shift + (pair_shift if i % 2 == 0 else 0) for i, x in enumerate(values)]
    plain, other = (dpo_loss(*v, beta=0.3, kind=kind).item() for v in (values, moved))
    assert other == pytest.approx(plain, abs=1e-9)
