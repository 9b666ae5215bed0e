"""What is done with any PEFT adapter once it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel


def merged(model: Any) -> PreTrainedModel:
    """The plain model with the updates added to its weights, in place; save the adapter first, if it is wanted."""
    plain: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    plain.tie_weights()
    return plain


def share(model: Module) -> tuple[int, int]:
    """How many weights are trained, and how many there are; a tied weight counts once."""
    sizes = [(getattr(weight, "ds_numel", weight.numel()), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)
