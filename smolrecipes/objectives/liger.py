"""Liger's fused cross-entropy (arXiv:2410.10989), where it is installed on a GPU and as exact as our own function."""

from __future__ import annotations

import inspect
from functools import lru_cache
from importlib.util import find_spec

import torch
from torch import Tensor

from smolrecipes.objectives.labels import IGNORE


def liger_fits(device: str, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether Liger's kernel is one that we know, runs on the device and is as exact as our own function.

    A frozen head costs it no third product either, and float32 sums are an option. But it adds a bias to logits that
    are rounded already, which in bfloat16 makes gradients 1.5 times as inexact, and computes float64 in float32.
    """
    return device == "cuda" and bias is None and weight.dtype != torch.float64 and liger_is_known()


LIGER = {
    "bias": None, "ce_weight": None, "ignore_index": IGNORE, "lse_square_scale": 0.0, "label_smoothing": 0.0,
    "reduction": "sum", "softcap": None, "return_z_loss": False, "accum_dtype": torch.float32, "use_token_scaling": False,
    "return_token_accuracy": False, "return_predicted_tokens": False, "ce_impl": None, "ce_mode": None,
}  # fmt: skip
"""What Liger's function is given by position, between the labels and the chunk: an autograd function takes no names."""


@lru_cache(maxsize=1)
def liger_is_known() -> bool:
    """Whether Liger is installed, in a version whose function, which is not a public one, takes what it is given."""
    if find_spec("liger_kernel") is None:
        return False
    from liger_kernel.ops import LigerFusedLinearCrossEntropyFunction

    names = list(inspect.signature(LigerFusedLinearCrossEntropyFunction.forward).parameters)
    return names == ["ctx", "_input", "weight", "target", *LIGER, "chunk_mem_const"]


def liger_nll(hidden: Tensor, weight: Tensor, labels: Tensor, at_once: int) -> Tensor:
    """label_nll by Liger's kernel, which needs at least one label, and gives a head no gradient where `hidden` has none.

    at_once: about how many logits exist at once. Its own choice, as many as `hidden` has numbers, cuts a large
    vocabulary over a small width into so narrow products that adding up the head's gradient takes longer than they do.
    It waits for the GPU twice: to count the labels, and to see whether the loss's gradient is 1.
    """
    from liger_kernel.ops import LigerFusedLinearCrossEntropyFunction

    budget = max(1, at_once // hidden.numel())
    nll: Tensor = LigerFusedLinearCrossEntropyFunction.apply(hidden, weight, labels, *LIGER.values(), budget)[0]
    return nll
