"""Whether ours and the bare loop compute what the padded computation does: loss and gradients of one batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import padded
import torch
from bare import loss as bare_loss
from cases import Case
from work import drawn, recipe


def compare(case: Case, folder: Path) -> dict[str, dict[str, float]]:
    """Relative errors against the padded computation, in float32 on the same weights."""
    from datasets import load_from_disk

    trainer = recipe(case, folder).trainer(runs=folder / "runs")
    model, rows = trainer.model, load_from_disk(folder / "examples").to_list()[: case.batch]
    stir(model)
    rows = drawn(trainer.objective, rows, trainer.processing_class)
    batch = trainer.objective.collate(rows, trainer.parts.layout)
    found = {
        "ours": gradients(model, trainer.compute_loss(model, {**batch, "origins": ["one"]})),
        "bare": gradients(model, bare_loss(model, batch, case.objective)),
    }
    (model.get_base_model() if case.lora else model).set_attn_implementation("sdpa")
    plain = padded.collator(case, trainer.processing_class)(rows)
    loss, exact = gradients(model, padded.loss(model, plain, case.objective))
    return {
        name: {
            "loss": abs(value - loss) / max(1.0, abs(loss)),
            "gradients": float((slope - exact).norm() / exact.norm()),
        }
        for name, (value, slope) in found.items()
    }


def stir(model: Any) -> None:
    """A LoRA begins at zero, where half of its gradients are."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)


def gradients(model: Any, loss: torch.Tensor) -> tuple[float, torch.Tensor]:
    """The loss, and all of its gradients in one vector."""
    loss.backward()
    weights = [weight for weight in model.parameters() if weight.grad is not None]
    slope = torch.cat([weight.grad.flatten() for weight in weights])
    model.zero_grad()
    return float(loss.detach()), slope
