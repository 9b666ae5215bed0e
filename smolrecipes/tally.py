"""Sums and counts over micro-batches and ranks, and the means they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

    from smolrecipes.kinds import Loss


class Tally:
    """What an objective reported since the last reset: a sum for each term and metric, a count for each unit."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.units: dict[str, tuple[str, float | None]] = {}
        self.counts: dict[str, int] = {}

    def add(self, loss: Loss, counts: dict[str, int], empty: bool = False) -> None:
        """One micro-batch; an empty one adds nothing but makes every rank know the same names."""
        for group, weighed in ((loss.terms, True), (loss.metrics, False)):
            for name, mean in group.items():
                value = mean.sum.detach().double() * (not empty)
                self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value
                self.units[name] = (mean.over, mean.weight if weighed else None)
        for unit, count in counts.items():
            self.counts[unit] = self.counts.get(unit, 0) + (0 if empty else count)

    def means(self, accelerator: Accelerator) -> dict[str, float]:
        """Each term's and metric's mean over all ranks, and `loss`, the weighted sum of the terms; resets the tally."""
        if not self.sums:
            return {}
        values = torch.stack(
            [
                *self.sums.values(),
                *(torch.tensor(float(c)).to(next(iter(self.sums.values()))) for c in self.counts.values()),
            ]
        )
        total = dict(
            zip([*self.sums, *(f"count of {unit}" for unit in self.counts)], accelerator.reduce(values).tolist())
        )
        found = {name: total[name] / max(1.0, total[f"count of {unit}"]) for name, (unit, _) in self.units.items()}
        loss = sum(found[name] * weight for name, (_, weight) in self.units.items() if weight is not None)
        self.__init__()  # type: ignore[misc]
        return {"loss": loss, **found}
