"""Losses as pure functions of tensors: no model, no tokenizer, no trainer, nothing of ours."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def sequence_sums(logps: Tensor, rows: Tensor, count: int) -> Tensor:
    """The sum of each sequence's values. logps: (n,); rows: (n,) int64, the sequence of each. Returns (count,)."""
    return logps.new_zeros(count).index_add(0, rows, logps)


def log_softmax_within(scores: Tensor, rows: Tensor, count: int) -> Tensor:
    """Log-probabilities of each row's scores among themselves. scores: (n,); rows: (n,) int64, the row of each of `count`.

    Returns (n,) in float32.
    """
    scores = _precise(scores)
    highest = scores.new_full((count,), -torch.inf).scatter_reduce(0, rows, scores.detach(), "amax")
    shifted = scores - highest[rows]
    return shifted - sequence_sums(shifted.exp(), rows, count).log()[rows]


def log1mexp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x <= 0, of any shape, to full precision (Mächler 2012), in float32 at least.

    1 - p of a certain token (x = 0) counts as eps squared: the value and its gradient stay finite.
    """
    x = _precise(x)
    x = x.clamp(max=-(torch.finfo(x.dtype).eps ** 2))
    near = x > -0.6931471805599453  # -log 2: on each side, the form that does not cancel
    # the branch not taken must have a finite gradient as well: `where` multiplies it by 0
    close, far = torch.where(near, x, -1.0), torch.where(near, -1.0, x)
    return torch.where(near, torch.log(-torch.expm1(close)), torch.log1p(-torch.exp(far)))


def odds_ratio_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """-log sigmoid(log odds(chosen) - log odds(rejected)), odds(p) = p / (1 - p): ORPO, arXiv:2403.07691.

    chosen, rejected: (pairs,), log-probabilities averaged over the tokens of each answer. Returns (pairs,).
    """
    chosen, rejected = _precise(chosen), _precise(rejected)
    return -F.logsigmoid((chosen - log1mexp(chosen)) - (rejected - log1mexp(rejected)))


def dpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float,
    kind: Literal["sigmoid", "ipo", "hinge", "robust"] = "sigmoid",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The loss of each pair, from the answers' log-probabilities under the policy and the reference: all (pairs,).

    They are sums over the answer's tokens; for ipo averages, as its authors normalise it and TRL does.
    sigmoid: arXiv:2305.18290, equation 7. hinge: SLiC, arXiv:2305.10425, on the ratios. ipo: arXiv:2310.12036,
    equation 17. robust: arXiv:2403.00409, unbiased when a share `label_smoothing` (below 1/2) of the preferences is
    the wrong way round.
    """
    if label_smoothing and kind != "robust":
        raise ValueError(f"label_smoothing is read by robust alone, not by {kind}")
    margin = (_precise(chosen) - reference_chosen) - (_precise(rejected) - reference_rejected)
    if kind == "ipo":
        return (margin - 1 / (2 * beta)) ** 2
    if kind == "hinge":
        return torch.relu(1 - beta * margin)
    if kind == "sigmoid":
        return -F.logsigmoid(beta * margin)
    if kind == "robust":
        right, wrong = -F.logsigmoid(beta * margin), -F.logsigmoid(-beta * margin)
        return ((1 - label_smoothing) * right - label_smoothing * wrong) / (1 - 2 * label_smoothing)
    raise ValueError(f"dpo_loss has no kind '{kind}'")


def divergence(
    student: Tensor, teacher: Tensor, temperature: float, kind: Literal["forward", "reverse", "jsd"] = "forward"
) -> Tensor:
    """How far a student's distribution is from its teacher's, both softened. student, teacher: (n, v), logits. Returns (n,).

    forward: KL(teacher || student) (arXiv:1503.02531). reverse: KL(student || teacher) (arXiv:2306.08543). jsd: the mean of
    both against their mixture (arXiv:2306.13649). Times temperature squared, so that gradients keep their size.
    """
    own, theirs = ((_precise(x) / temperature).log_softmax(-1) for x in (student, teacher))
    if kind == "forward":
        found = _kl(theirs, own)
    elif kind == "reverse":
        found = _kl(own, theirs)
    else:
        mixed = torch.logaddexp(own, theirs) - 0.6931471805599453
        found = (_kl(own, mixed) + _kl(theirs, mixed)) / 2
    return found * temperature**2


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p.exp() * (p - q)).sum(-1)


def _precise(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
