"""What is done with any PEFT adapter once it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    tied = model.config.tie_word_embeddings
    plain: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    pairs = plain.all_tied_weights_keys.items()
    if all(plain.get_parameter(one) is plain.get_parameter(other) for one, other in pairs):
        plain.config.tie_word_embeddings = tied  # peft looks at the words' tables alone; LUKE ties those of entities
    plain.tie_weights()
    return plain
