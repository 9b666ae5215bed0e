"""Liger's kernel against our own function, on a CPU in Triton's interpreter, and when it is taken."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import pytest
import torch

from smolrecipes.objectives import liger
from smolrecipes.objectives.liger import liger_fits

COMPARE = """
import json, sys, torch
from smolrecipes.objectives import vocabulary
from smolrecipes.objectives.vocabulary import label_nll

taken = []
theirs = vocabulary.liger_nll
vocabulary.liger_nll = lambda *given: (taken.append(1), theirs(*given))[1]

def slopes(dtype, liger, frozen, chunk=None, rows=17, moving=True):
    torch.manual_seed(0)
    hidden, weight = torch.randn(rows, 24), torch.randn(100, 24)
    hidden = hidden.to(dtype).requires_grad_(moving)
    weight = weight.to(dtype).requires_grad_(not frozen)
    vocabulary.liger_fits = lambda *given: liger
    nll = label_nll(hidden, weight, torch.arange(rows) * 5, chunk=chunk)
    (nll * 0.3).backward()
    return [nll.detach(), *(leaf.grad for leaf in (hidden, weight) if leaf.requires_grad)]

def apart(ours, theirs):
    assert len(ours) == len(theirs)
    return max(float((a.double() - b.double()).norm() / b.double().norm()) for a, b in zip(ours, theirs))

found = {}
for dtype in (torch.float32, torch.bfloat16):
    for frozen in (True, False):
        for chunk in (None, 100 * 8):
            name = f"{dtype} {'frozen' if frozen else 'trained'} {chunk}"
            found[name] = apart(slopes(dtype, True, frozen, chunk), slopes(dtype, False, frozen))
found["taken"] = len(taken)
alone = [slopes(torch.float32, liger, frozen=False, moving=False) for liger in (True, False)]
found["head alone"] = apart(*alone)
vocabulary.liger_fits = lambda *given: True
empty = label_nll(torch.zeros(0, 24, requires_grad=True), torch.ones(100, 24), torch.zeros(0, dtype=torch.long))
found["empty"] = float(empty)
found["taken at last"] = len(taken)
print(json.dumps(found))
"""


@pytest.mark.skipif(not all(map(find_spec, ("liger_kernel", "triton"))), reason="Liger and Triton are not installed")
def test_it_gives_the_loss_and_the_gradients_of_our_own_function(python):
    done = python("-c", COMPARE, TRITON_INTERPRET="1", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # where it has no answer, no label or a head that learns alone, ours computes
    assert found.pop("taken") == found.pop("taken at last") == 8
    assert found.pop("empty") == 0 and found.pop("head alone") == 0
    for name, apart in found.items():
        assert apart <= (1e-5 if "float32" in name else 2e-2), name
    assert len(found) == 8


def test_it_is_taken_where_it_is_as_exact(monkeypatch):
    monkeypatch.setattr(liger, "liger_is_known", lambda: True)
    weight, bias = torch.zeros(3, 2), torch.zeros(3)
    assert liger_fits("cuda", weight, None) and liger_fits("cuda", weight.bfloat16(), None)
    assert not liger_fits("cpu", weight, None) and not liger_fits("mps", weight, None)
    assert not liger_fits("cuda", weight.double(), None) and not liger_fits("cuda", weight, bias)
    monkeypatch.setattr(liger, "liger_is_known", lambda: False)
    assert not liger_fits("cuda", weight, None)


@pytest.mark.parametrize(("names", "known"), [(liger.LIGER, True), (list(liger.LIGER)[1:], False)])
def test_a_version_that_takes_other_arguments_is_left_alone(monkeypatch, names, known):
    """They are given by position, to a function that is no public one."""
    scope = {}
    exec(f"def forward(ctx, _input, weight, target, {', '.join(names)}, chunk_mem_const): ...", scope)
    ops = ModuleType("liger_kernel.ops")
    ops.LigerFusedLinearCrossEntropyFunction = SimpleNamespace(forward=scope["forward"])
    package = ModuleType("liger_kernel")
    package.__spec__ = ModuleSpec("liger_kernel", None)
    monkeypatch.setitem(sys.modules, "liger_kernel", package)
    monkeypatch.setitem(sys.modules, "liger_kernel.ops", ops)
    assert liger.liger_is_known.__wrapped__() is known
