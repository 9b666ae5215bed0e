"""Label log-probabilities in chunks: values by hand, gradients against the naive formula, and what must not matter."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from smolrecipes.objectives import vocabulary
from smolrecipes.objectives.vocabulary import label_logps, label_nll


@pytest.fixture(params=[0, vocabulary.KEPT], ids=["recomputed", "kept"], autouse=True)
def small_chunks(request, monkeypatch):
    """Chunks of 16 rows or more, so that small inputs have several; probabilities recomputed, then kept."""
    monkeypatch.setattr(vocabulary, "ROWS", 16)
    monkeypatch.setattr(vocabulary, "KEPT", request.param)


def naive(hidden, weight, labels, bias=None):
    return torch.log_softmax(torch.nn.functional.linear(hidden, weight, bias), -1).gather(1, labels[:, None])[:, 0]


def inputs(n=37, d=8, v=50, dtype=torch.float64, seed=0):
    make = torch.Generator().manual_seed(seed)
    hidden, weight, bias = (torch.randn(*s, generator=make, dtype=torch.float64) for s in ((n, d), (v, d), (v,)))
    return hidden.to(dtype), weight.to(dtype), torch.randint(v, (n,), generator=make), bias.to(dtype)


def gradients(function, *tensors):
    leaves = [t.detach().clone().requires_grad_(True) for t in tensors]
    out = function(*leaves)
    (out * (torch.arange(len(out)).to(out) + 1)).sum().backward()
    return out.detach(), [leaf.grad for leaf in leaves]


def test_label_logps_by_hand():
    # logits are (log 2, log 6) and (log 5, log 5): probabilities 2/8, 6/8 and 1/2, 1/2
    weight = torch.tensor([[math.log(2), math.log(5)], [math.log(6), math.log(5)]], dtype=torch.float64)
    got = label_logps(torch.eye(2, dtype=torch.float64), weight, torch.tensor([0, 1]))
    assert got.tolist() == pytest.approx([math.log(2 / 8), math.log(1 / 2)], abs=1e-15)


@pytest.mark.parametrize("trainable", [False, True], ids=["frozen", "trainable"])
@pytest.mark.parametrize("with_bias", [False, True], ids=["plain", "bias"])
def test_values_and_gradients_equal_the_naive_formula(trainable, with_bias):
    hidden, weight, labels, bias = inputs()
    free = [hidden, *([weight] if trainable else []), *([bias] if trainable and with_bias else [])]

    def run(function):
        def of(h, w=weight, b=bias):
            return function(h, w, labels, b if with_bias else None)

        return gradients(of, *free)

    (want, want_grads), (got, got_grads) = run(naive), run(lambda *a: label_logps(*a, chunk=1))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    for mine, theirs in zip(got_grads, want_grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


def test_gradients_of_the_bias_alone_with_a_frozen_weight():
    hidden, weight, labels, bias = inputs()
    _, want = gradients(lambda b: naive(hidden, weight, labels, b), bias)
    _, got = gradients(lambda b: label_logps(hidden, weight, labels, b), bias)
    torch.testing.assert_close(got[0], want[0])


@pytest.mark.parametrize("trainable", [False, True])
def test_gradcheck(trainable):
    hidden, weight, labels, bias = inputs(n=20, d=3, v=5)
    hidden.requires_grad_(True)
    weight.requires_grad_(trainable)
    bias.requires_grad_(trainable)
    assert torch.autograd.gradcheck(lambda h, w, b: label_logps(h, w, labels, b, chunk=1), (hidden, weight, bias))


def test_tied_weights_get_both_gradients():
    _, weight, labels, _ = inputs(n=10, v=12)
    tokens = torch.arange(10) % 12

    def run(function):
        return gradients(lambda w: function(torch.tanh(w[tokens]), w, labels), weight)

    (_, (want,)), (_, (got,)) = run(naive), run(label_logps)
    torch.testing.assert_close(got, want)


def test_without_labels():
    hidden, weight, labels, _ = inputs(n=0)
    hidden.requires_grad_(True)
    weight.requires_grad_(True)
    out = label_logps(hidden, weight, labels)
    out.sum().backward()
    assert out.shape == (0,) and hidden.grad.shape == (0, 8) and not weight.grad.any()


@pytest.mark.parametrize("trainable", [False, True])
def test_bfloat16_keeps_the_digits_of_nearly_certain_tokens(trainable):
    hidden, weight, labels, _ = inputs(n=64, d=16, v=30, dtype=torch.bfloat16)
    hidden = 3 * hidden + 12 * weight[labels] / weight[labels].norm(dim=1, keepdim=True)  # most labels are likely
    weight.requires_grad_(trainable)
    logps, (grad,) = gradients(lambda h: label_logps(h, weight, labels), hidden)
    exact, (want,) = gradients(lambda h: naive(h, weight.detach().double(), labels), hidden.double())
    assert logps.dtype == torch.float32 and grad.dtype == torch.bfloat16
    assert (exact > math.log(0.9)).double().mean() > 0.3
    assert (grad.double() - want).norm() / want.norm() < 0.02
    sure = exact > math.log(0.99)
    # an eighth is what rounding the logits costs; W[label] - p @ W would lose everything
    assert (grad.double() - want)[sure].norm() / want[sure].norm() < 0.25


def test_under_autocast_it_computes_in_autocasts_type():
    hidden, weight, labels, _ = inputs(dtype=torch.float32)
    hidden.requires_grad_(True)
    weight.requires_grad_(True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = label_logps(hidden, weight, labels)
        out.sum().backward()
    want = label_logps(hidden.bfloat16(), weight.bfloat16(), labels)
    assert out.dtype == torch.float32 and torch.equal(out, want)
    assert hidden.grad.dtype == weight.grad.dtype == torch.float32


class Sizes(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.largest = max([self.largest, *(t.numel() for t in tree_leaves(out) if isinstance(t, torch.Tensor))])
        return out


@pytest.mark.parametrize("trainable", [False, True])
def test_all_the_logits_never_exist_at_once(trainable):
    hidden, weight, labels, _ = inputs(n=500, d=4, v=300, dtype=torch.float32)
    hidden.requires_grad_(True)
    weight.requires_grad_(trainable)
    for function in (label_logps, label_nll):
        with Sizes() as sizes:
            function(hidden, weight, labels, chunk=20 * 300).sum().backward()
        assert sizes.largest == 20 * 300


@pytest.mark.parametrize("needed", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (0, 1, 0), (0, 0, 1)])
def test_label_nll_is_the_sum_with_the_same_gradients(needed):
    hidden, weight, labels, bias = inputs()
    leaves = [t.requires_grad_(bool(n)) for t, n in zip((hidden, weight, bias), needed, strict=True)]
    free = [leaf for leaf in leaves if leaf.requires_grad]
    want, got = -naive(hidden, weight, labels, bias).sum(), label_nll(hidden, weight, labels, bias, chunk=1)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    slopes = (torch.autograd.grad(3 * of, free) for of in (got, want))
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    with torch.no_grad():
        torch.testing.assert_close(label_nll(hidden, weight, labels, bias), want.detach(), rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(n=st.integers(0, 70), chunk=st.integers(1, 4000), seed=st.integers(0, 9), trainable=st.booleans())
def test_the_chunk_does_not_matter(n, chunk, seed, trainable):
    hidden, weight, labels, _ = inputs(n=n, seed=seed)
    free = [hidden, weight] if trainable else [hidden]

    def run(size):
        return gradients(lambda h, w=weight: label_logps(h, w, labels, chunk=size), *free)

    (whole, whole_grads), (cut, cut_grads) = run(1 << 24), run(chunk)
    torch.testing.assert_close(cut, whole, rtol=1e-12, atol=1e-12)
    for one, other in zip(cut_grads, whole_grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@settings(max_examples=25)
@given(shift=st.floats(-1e4, 1e4), seed=st.integers(0, 9))
def test_a_constant_added_to_every_logit_does_not_matter(shift, seed):
    hidden, weight, labels, bias = inputs(seed=seed)
    plain, moved = (label_logps(hidden, weight, labels, bias + s) for s in (0.0, shift))
    torch.testing.assert_close(moved, plain, rtol=0, atol=1e-9)
    assert (plain <= 0).all()


def test_extreme_logits_stay_finite():
    hidden = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    out = label_logps(hidden, torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 0]))
    out.sum().backward()
    assert out.tolist() == [0.0, -2e4] and hidden.grad.tolist() == [[0.0], [2.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("project", [label_nll, label_logps])
def test_a_second_backward_pass_finds_what_the_first_did(project, dtype):
    """What the forward pass made is changed in place, but for one who asks for it again."""
    hidden, weight, labels, _ = inputs(dtype=dtype)
    leaves = [hidden.requires_grad_(), weight.requires_grad_()]
    loss = project(*leaves, labels, chunk=1).sum() * 3
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves, retain_graph=True)
    kept = [slope.clone() for slope in second]
    last = torch.autograd.grad(loss, leaves)
    for slopes in zip(first, second, kept, last):
        assert all(torch.equal(slopes[0], slope) for slope in slopes[1:])


def test_no_label_is_no_gradient():
    hidden, weight, labels, bias = inputs(dtype=torch.float32)
    leaves = [tensor.requires_grad_() for tensor in (hidden, weight, bias)]
    loss = label_nll(hidden[:0], weight, labels[:0], bias)
    assert loss.item() == 0.0
    assert all(float(slope.abs().max()) == 0.0 for slope in torch.autograd.grad(loss, leaves))
