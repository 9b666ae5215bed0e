"""How many weights a model has, whatever holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module


def count_weights(model: Module) -> tuple[int, int]:
    """How many weights are trained, and how many there are; a tied weight counts once."""
    sizes = [(_numbers(weight), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def _numbers(weight: Any) -> int:
    """How many numbers a weight holds; DeepSpeed's shard and bytes of two weights each do not say by themselves."""
    if (state := getattr(weight, "quant_state", None)) is not None:
        return int(state.shape.numel())
    return int(getattr(weight, "ds_numel", weight.numel()))
