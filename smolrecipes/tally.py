"""Sums and counts over micro-batches and ranks, and the means they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from accelerate import Accelerator
    from numpy.typing import NDArray

    from smolrecipes.kinds import Loss


class Tally:
    """What an objective reported since the last reset: a sum for each term and metric, a count for each unit."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.sums: dict[str, torch.Tensor] = {}
        self.units: dict[str, tuple[str, float | None]] = {}
        self.counts: dict[str, int] = {}

    def add(self, loss: Loss, counts: dict[str, int], empty: bool = False) -> None:
        """One micro-batch; an empty one adds nothing but makes every rank know the same names."""
        for group, weighed in ((loss.terms, True), (loss.metrics, False)):
            for name, mean in group.items():
                value = precise(mean.sum.detach()) * (not empty)
                self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value
                self.units[name] = (mean.over, mean.weight if weighed else None)
        for unit, count in counts.items():
            self.counts[unit] = self.counts.get(unit, 0) + (0 if empty else count)

    def means(self, accelerator: Accelerator) -> dict[str, float]:
        """Each term's and metric's mean over all ranks, and `loss`, the weighted sum of the terms; resets the tally."""
        if not self.sums:
            return {}
        sums = torch.stack(list(self.sums.values()))
        counts = torch.tensor(list(self.counts.values()), dtype=sums.dtype, device=sums.device)
        totals = accelerator.reduce(torch.cat([sums, counts])).tolist()
        count = dict(zip(self.counts, totals[len(sums) :]))
        found = {n: total / max(1.0, count[self.units[n][0]]) for n, total in zip(self.sums, totals)}
        loss = sum(found[name] * weight for name, (_, weight) in self.units.items() if weight is not None)
        self.reset()
        return {"loss": loss, **found}


class Answers:
    """What the model answered for held-out rows, and what is right."""

    def __init__(self) -> None:
        self.parts: list[dict[str, NDArray[Any]]] = []

    def add(self, loss: Loss, empty: bool = False) -> None:
        """One micro-batch; an empty one adds nothing."""
        if loss.answers and not empty:
            self.parts.append({name: part.detach().float().cpu().numpy() for name, part in loss.answers.items()})

    def all(self) -> dict[str, NDArray[Any]]:
        """Those of all ranks by name, rank by rank."""
        from accelerate.utils import gather_object

        parts = gather_object(self.parts)
        return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def precise(value: torch.Tensor) -> torch.Tensor:
    """In float64, where the device has it."""
    return value.float() if value.device.type == "mps" else value.double()
