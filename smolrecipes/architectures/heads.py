"""The head an objective asks for, as the transformers class that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

HEADS = {
    "causal": "AutoModelForCausalLM",
    "sequence-classification": "AutoModelForSequenceClassification",
}


def auto_class(head: str) -> Any:
    """transformers' Auto class for a head."""
    import transformers

    if head not in HEADS:
        raise RecipeError(f"no head named '{head}'{nearest(head, HEADS)} (there are: {', '.join(HEADS)})")
    return getattr(transformers, HEADS[head])


def with_head(config: PreTrainedConfig, head: str, labels: int) -> PreTrainedModel:
    """A new model of this config, in float32, with the head; `labels` are its classes, for the heads that classify."""
    import torch

    if head != "causal":
        config.num_labels = labels
    model: PreTrainedModel = auto_class(head).from_config(config, dtype=torch.float32)
    return model


def check_sizes(model: PreTrainedModel, who: str, *, layers: int, hidden: int, vocabulary: int) -> PreTrainedModel:
    """The model itself, if it was built as asked: transformers' configs store options that they do not use."""
    from torch import nn

    blocks = max((len(part) for part in model.modules() if isinstance(part, nn.ModuleList)), default=0)
    built = {"layers": blocks, "vocabulary and hidden": tuple(model.get_input_embeddings().weight.shape)}
    asked = {"layers": layers, "vocabulary and hidden": (vocabulary, hidden)}
    if wrong := [f"{name} {built[name]}, not {asked[name]}" for name in asked if built[name] != asked[name]]:
        raise RecipeError(f"{who}: this version of transformers builds it with {' and '.join(wrong)}")
    return model
