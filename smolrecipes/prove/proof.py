"""A proof: two trainings that must come to the same, and whether they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-4
"""Of a tensor's largest entry: sums in float32 that are taken in another order differ by about 1e-6."""


@dataclass(frozen=True)
class Proof:
    """What was shown, or not."""

    what: str
    """Which two must be equal."""
    holds: bool | None
    """None where it was not shown."""
    how: str
    """How near they are; the first step and tensor that differ; or why it was not shown."""


@dataclass
class Record:
    """What a training did, step by step."""

    losses: list[float] = field(default_factory=list)
    gradients: list[dict[str, Tensor]] = field(default_factory=list)
    """Of each step, as the optimizer got them."""
    weights: dict[str, Tensor] = field(default_factory=dict)
    """After the last step."""
    after: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Losses on one batch: of the model in memory and of what else must be the same."""


def near(what: str, one: Record, other: Record) -> Proof:
    """Whether every gradient of every step is the same but for rounding."""
    worst = 0.0
    if len(one.gradients) != len(other.gradients):
        return Proof(what, False, f"one took {len(one.gradients)} steps, the other {len(other.gradients)}")
    for step, (ours, theirs) in enumerate(zip(one.gradients, other.gradients), 1):
        if ours.keys() != theirs.keys():
            odd = sorted(ours.keys() ^ theirs.keys())
            return Proof(what, False, f"step {step}: only one of the two has a gradient for {odd[0]}")
        for name, gradient in ours.items():
            largest, apart = float(gradient.abs().max()), float((gradient - theirs[name]).abs().max())
            if not apart <= TOLERANCE * largest + 1e-7:
                facts = f"differs by {apart:.2e}, its largest entry is {largest:.2e}"
                return Proof(what, False, f"step {step}: the gradient of {name} {facts}{_losses(one, other, step)}")
            worst = max(worst, apart / largest if largest > 1e-6 else 0.0)
    return Proof(
        what, True, f"gradients of {len(one.gradients)} steps differ by at most {worst:.0e} of their largest entry"
    )


def same(what: str, one: Record, other: Record) -> Proof:
    """Whether losses and weights are the same to the bit."""
    for step, (loss, theirs) in enumerate(zip(one.losses, other.losses), 1):
        if loss != theirs:
            return Proof(what, False, f"step {step}: the loss is {loss:.8f} and {theirs:.8f}")
    for name, weight in one.weights.items():
        if not weight.equal(other.weights[name]):
            apart = float((weight - other.weights[name]).abs().max())
            return Proof(what, False, f"after {len(one.losses)} steps {name} differs by {apart:.2e}")
    return Proof(what, True, f"{len(one.weights)} tensors after {len(one.gradients)} steps, to the bit")


def alike(what: str, losses: tuple[float, float], tolerance: float) -> Proof:
    """Whether two models have the same loss on the same batch."""
    one, other = losses
    apart = abs(one - other) / max(1e-12, abs(one))
    facts = f"the loss of a batch is {one:.8f} and {other:.8f}"
    return Proof(what, apart <= tolerance, facts if apart else f"the loss of a batch is {one:.8f}, to the bit")


def _losses(one: Record, other: Record, step: int) -> str:
    pair = [record.losses[step - 1] for record in (one, other) if len(record.losses) >= step]
    return f"; the losses are {pair[0]:.6f} and {pair[1]:.6f}" if len(pair) == 2 else ""
