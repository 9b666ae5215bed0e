"""What is done with any PEFT adapter once it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel


def merged(model: Any) -> PreTrainedModel:
    """The plain model with the updates added to its weights, in place; save the adapter first, if it is wanted.

    Weights held in 4 bits are made floating point first: peft would round the sum to 4 bits again.
    """
    from torch.nn import Linear

    for name, layer in list(model.named_modules()):
        if isinstance(layer, Linear) and hasattr(layer.weight, "quant_state"):
            from smolrecipes.adapters.four_bit import in_float

            model.set_submodule(name, in_float(layer))
    plain: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    plain.tie_weights()
    return plain


def share(model: Module) -> tuple[int, int]:
    """How many weights are trained, and how many there are; a tied weight counts once."""
    sizes = [(_size(weight), weight.requires_grad) for weight in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def _size(weight: Any) -> int:
    """How many numbers a weight holds; DeepSpeed's shard and bytes of two weights each do not say by themselves."""
    if (state := getattr(weight, "quant_state", None)) is not None:
        return int(state.shape.numel())
    return int(getattr(weight, "ds_numel", weight.numel()))
