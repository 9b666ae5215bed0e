"""Log-probabilities of labels under a vocabulary, in chunks: all the logits never exist."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from smolrecipes.objectives.liger import liger_fits, liger_nll

CPU_CHUNK, CHUNK = 1 << 22, 1 << 26
"""Logits that exist at once: on a CPU 16 MiB of them, which are no slower than more; elsewhere 256 MiB."""
ROWS = 128
"""Rows of a chunk of logits at the least: narrower products run below half of the machine's speed."""
KEPT = 1 << 26
"""Probabilities kept for the backward pass at the most (256 MiB in float32): 3.2 products' time against 4.1."""


def label_logps(
    hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None = None, chunk: int | None = None
) -> Tensor:
    """log softmax(hidden @ weight.T + bias)[labels], without ever holding all the logits.

    hidden: (n, d), the positions that have a label and no others. weight: (v, d). labels: (n,) in [0, v). bias: (v,).
    chunk: logits that exist at once, the device's own number when None; a chunk has at least ROWS rows.
    Returns (n,) in float32 (float64 for float64). The products run in the inputs' type, or autocast's.
    """
    hidden, weight, bias = _cast(hidden, weight, bias)
    rows = chunk_rows(hidden, weight.shape[0], chunk)
    with torch.autocast(hidden.device.type, enabled=False):
        if torch.is_grad_enabled():
            logps: Tensor = _LabelLogps.apply(hidden, weight, bias, labels, rows)  # type: ignore[no-untyped-call]
            return logps
        return _forward(hidden, weight, bias, labels, rows, direction=False)[0]


def label_nll(
    hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None = None, chunk: int | None = None
) -> Tensor:
    """-label_logps(...).sum(), a scalar: every label counts the same, so the forward pass can make the gradients.

    Takes three products with the vocabulary instead of four, as Liger's fused cross-entropy does (arXiv:2410.10989),
    which computes it where `liger_fits`: the same numbers, and far fewer passes over the logits.
    """
    if not torch.is_grad_enabled():
        return -label_logps(hidden, weight, labels, bias, chunk).sum()
    hidden, weight, bias = _cast(hidden, weight, bias)
    rows = chunk_rows(hidden, weight.shape[0], chunk)
    with torch.autocast(hidden.device.type, enabled=False):
        if liger_fits(hidden.device.type, weight, bias) and hidden.requires_grad and len(labels):
            return liger_nll(hidden, weight, labels, rows * weight.shape[0])
        nll: Tensor = _LabelNLL.apply(hidden, weight, bias, labels, rows)  # type: ignore[no-untyped-call]
        return nll


def chunk_rows(hidden: Tensor, vocabulary: int, chunk: int | None = None) -> int:
    """How many rows of logits exist at once."""
    most = chunk or (CPU_CHUNK if hidden.device.type == "cpu" else CHUNK)
    return max(ROWS, most // vocabulary)


def _cast(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """In autocast's type, where it is on."""
    device = hidden.device.type
    if not torch.is_autocast_enabled(device) or hidden.dtype == torch.float64:
        return hidden, weight, bias
    dtype = torch.get_autocast_dtype(device)
    return hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)


def _precise(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


class _Logits:
    """The logits of one chunk after the other, all in the same memory: fresh pages would cost a sixth of the product."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self.space: Tensor | None = None

    def __call__(self, hidden: Tensor) -> Tensor:
        """(rows, v) in float32 or float64, to be changed in place, until the next call."""
        if hidden.dtype not in (torch.float32, torch.float64) or hidden.device.type != "cpu":
            return _precise(F.linear(hidden, self.weight, self.bias))
        if self.space is None:
            self.space = hidden.new_empty(hidden.shape[0], self.weight.shape[0])
        found = torch.mm(hidden, self.weight.T, out=self.space[: hidden.shape[0]])
        return found if self.bias is None else found.add_(self.bias)


def _forward(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    rows: int,
    kept: list[Tensor] | None = None,
    *,
    direction: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """(log-probabilities (n,), log normalisers (n,), d logp / d hidden (n, d) when `direction`).

    kept: a list that gets the probabilities of each chunk.
    """
    n = hidden.shape[0]
    logps = torch.empty(n, dtype=torch.promote_types(hidden.dtype, torch.float32), device=hidden.device)
    normalisers, directions = torch.empty_like(logps), torch.empty_like(hidden) if direction else None
    find = _Logits(weight, bias)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        target, logits = labels[part, None], find(hidden[part])
        top = logits.amax(1, keepdim=True)
        gap = logits.gather(1, target) - top
        exps = logits.sub_(top).exp_()
        total = exps.sum(1, keepdim=True)
        log_total = total.log()
        logps[part] = (gap - log_total)[:, 0]
        normalisers[part] = (top + log_total)[:, 0]
        if kept is not None:
            kept.append(exps / total)
        elif directions is not None:
            # W[label] - softmax @ W as one product: subtracting 1 from p first keeps the digits when p is near 1
            probabilities = exps.div_(total)
            probabilities.scatter_add_(1, target, torch.full_like(total, -1))
            directions[part] = (probabilities.to(weight.dtype) @ weight).neg_()
    return logps, normalisers, directions


class _LabelLogps(torch.autograd.Function):
    """With a frozen head, the forward pass stores d logp / d hidden: two products with the vocabulary instead of three.

    With a trainable head the probabilities are kept up to KEPT, else the logits are computed again in the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, rows: int) -> Tensor:
        ctx.rows, ctx.frozen = rows, not any(ctx.needs_input_grad[1:3])
        direction = ctx.frozen and ctx.needs_input_grad[0]
        kept: list[Tensor] | None = [] if not ctx.frozen and hidden.shape[0] * weight.shape[0] <= KEPT else None
        logps, normalisers, directions = _forward(hidden, weight, bias, labels, rows, kept, direction=direction)
        saved = (directions,) if ctx.frozen else (hidden, weight, bias, labels, normalisers, *(kept or []))
        ctx.save_for_backward(*saved)
        return logps

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        if ctx.frozen:
            (directions,) = ctx.saved_tensors
            return directions * grad[:, None].to(directions.dtype), None, None, None, None
        with torch.autocast(grad.device.type, enabled=False):
            return *_gradients(ctx, grad), None, None


class _LabelNLL(torch.autograd.Function):
    """The forward pass makes the gradients of the sum; the backward pass scales them."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, rows: int) -> Tensor:
        slopes, find = _Slopes(hidden, weight, bias, ctx.needs_input_grad), _Logits(weight, bias)
        total = hidden.new_zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32))
        for start in range(0, hidden.shape[0], rows):
            part = slice(start, start + rows)
            target, logits = labels[part, None], find(hidden[part])
            top = logits.amax(1, keepdim=True)
            total -= (logits.gather(1, target) - top).sum()
            exps = logits.sub_(top).exp_()
            sums = exps.sum(1, keepdim=True)
            total += sums.log().sum()
            slopes.add(part, exps.div_(sums).scatter_add_(1, target, torch.full_like(sums, -1)))
        ctx.save_for_backward(*slopes.found())
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        hidden, weight, bias = (None if s is None else _scaled(s, grad.to(s.dtype)) for s in ctx.saved_tensors)
        return hidden, weight, bias, None, None


def _scaled(slopes: Tensor, grad: Tensor) -> Tensor:
    """In place, where no second backward pass will want them: a head of its own takes as much memory as its gradient."""
    return slopes * grad if _wanted_again() else slopes.mul_(grad)


def _wanted_again() -> bool:
    """Whether a second backward pass will want what the forward pass saved."""
    return torch._C._autograd._get_current_graph_task_keep_graph()


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients for hidden, weight and bias, each only where it is needed."""
    hidden, weight, bias, labels, normalisers, *kept = ctx.saved_tensors
    slopes, find = _Slopes(hidden, weight, bias, ctx.needs_input_grad), _Logits(weight, bias)
    for index, start in enumerate(range(0, hidden.shape[0], ctx.rows)):
        part = slice(start, start + ctx.rows)
        if kept:
            found = kept[index].clone() if _wanted_again() else kept[index]
        else:
            found = find(hidden[part]).sub_(normalisers[part, None]).exp_()
        found.scatter_add_(1, labels[part, None], torch.full_like(found[:, :1], -1))
        slopes.add(part, found.mul_(-grad[part, None]))
    return slopes.found()


class _Slopes:
    """Gathers the gradients for hidden, weight and bias from those of the logits, chunk by chunk, where needed.

    Sums over chunks are kept in float32 at least.
    """

    def __init__(self, hidden: Tensor, weight: Tensor, bias: Tensor | None, needed: tuple[bool, ...]) -> None:
        precise = torch.promote_types(weight.dtype, torch.float32)
        self.given = hidden, weight
        self.hidden = torch.empty_like(hidden) if needed[0] else None
        self.weight = torch.empty_like(weight, dtype=precise) if needed[1] else None
        self.begun = False
        self.bias = torch.zeros_like(bias, dtype=precise) if needed[2] and bias is not None else None

    def add(self, part: slice, slopes: Tensor) -> None:
        """slopes: (rows, v), d loss / d logits of the rows `part`."""
        hidden, weight = self.given
        if self.bias is not None:
            self.bias += slopes.sum(0)
        slopes = slopes.to(weight.dtype)
        if self.hidden is not None:
            self.hidden[part] = slopes @ weight
        if self.weight is not None and self.weight.dtype == slopes.dtype:
            self.weight.addmm_(slopes.T, hidden[part], beta=int(self.begun))  # 0: what is there is not read
        elif self.weight is not None:
            product = slopes.T @ hidden[part]
            self.weight = self.weight.add_(product) if self.begun else self.weight.copy_(product)
        self.begun = True

    def found(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradients, in the type of what they belong to."""
        if self.weight is not None and not self.begun:  # no label
            self.weight.zero_()
        weight, bias = (None if g is None else g.to(self.given[1].dtype) for g in (self.weight, self.bias))
        return self.hidden, weight, bias
