"""Every architecture at a toy size, for tests of whatever works with all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from smolrecipes import (
    GPT3,
    LUKE,
    T5,
    Causal,
    DeBERTaV3,
    Decoder,
    DistilBERT,
    Gemma3,
    Llama,
    Longformer,
    ModernBERT,
    Qwen3,
    Scratch,
    SmolLM3,
)
from smolrecipes.architectures.heads import offered
from smolrecipes.builtin import smolrecipes_register_architectures

VOCABULARY, LENGTH = 60, 12
SIZES: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2, "max_length": 16}


class Words(SimpleNamespace):
    """As much of a tokenizer as an architecture reads."""

    def __len__(self) -> int:
        return VOCABULARY


IDS = {"pad": 0, "bos": 1, "eos": 2, "cls": 1, "sep": 2, "mask": 3, "unk": 4}
TOKENIZER: Any = Words(**{f"{name}_token_id": value for name, value in IDS.items()})

FAMILIES = [
    kind for kind in smolrecipes_register_architectures() if issubclass(kind, Scratch) and kind not in (Causal, Decoder)
]
OWN: dict[Any, dict[str, Any]] = {
    Longformer: {"window": 4},
    ModernBERT: {"layers": 3, "window": 6},
    LUKE: {"entities": 60},
    DeBERTaV3: {"buckets": 4},
    Gemma3: {"window": 4, "full_every": 2},
    GPT3: {"window": 4},
}
ALL: list[Scratch] = [
    *(cls(**{**SIZES, **OWN.get(cls, {})}) for cls in FAMILIES),
    *(Decoder(positions=kind, **SIZES) for kind in ("sinusoidal", "rotary", "alibi", "none")),
    SmolLM3(no_rope_every=1, **SIZES),
    DistilBERT(positions="sinusoidal", **SIZES),
    Llama(rope_scaling="yarn", kv_heads=1, **SIZES),
    Qwen3(head_size=8, kv_heads=1, **SIZES),
    T5(activation="gated-gelu", decoder_layers=1, head_size=8, **SIZES),
    *(Causal(kind, **SIZES) for kind in ("olmo2", "mistral", "phi3")),
    Causal("mpt", attention="eager", **SIZES),
]  # fmt: skip


def heads(model: Scratch) -> list[str]:
    return offered(model.config(TOKENIZER).model_type, model.family)


def batch(built: Any, head: str) -> dict[str, Tensor]:
    """Two texts, of which the second is shorter, and what the head learns from them."""
    draw = torch.Generator().manual_seed(7)
    ids = torch.randint(5, VOCABULARY, (2, LENGTH), generator=draw)
    end = built.config.eos_token_id or 2  # by which T5 finds the place of its answer
    ids[ids == end] = 5
    ids[0, -1], ids[1, -4], ids[1, -3:] = end, end, 0
    found = {"input_ids": ids, "attention_mask": ids.ne(0).long()}
    labels = ids.masked_fill(ids == 0, -100)
    if head in ("sequence-classification", "regression"):
        return {
            **found,
            "labels": torch.tensor([0.0, 1.0])
            if head == "regression"
            else torch.tensor([0, built.config.num_labels - 1]),
        }
    if head in ("token-classification", "discriminator"):
        return {**found, "labels": (ids % 2).float() if head == "discriminator" else ids % 2}
    if built.config.model_type == "longformer" and head in ("question-answering", "multiple-choice"):
        found["global_attention_mask"] = torch.ones_like(ids)  # else it looks for three separators in each text
    if head == "question-answering":
        return {**found, "start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([3, 4])}
    if head == "multiple-choice":
        return {**{name: value[:, None].repeat(1, 3, 1) for name, value in found.items()}, "labels": ids[:, 0] % 3}
    if head == "pretraining":
        order = {"bert": "next_sentence_label", "albert": "sentence_order_label"}[built.config.model_type]
        return {**found, "labels": labels, order: torch.tensor([0, 1])}
    if head == "entities":
        places = torch.full((2, 2, 4), -1)
        places[:, :, 0] = torch.tensor([2, 5])
        entities = torch.tensor([[5, 6], [7, 8]])
        named = {
            "entity_ids": entities,
            "entity_position_ids": places,
            "entity_attention_mask": torch.ones(2, 2).long(),
        }
        return {**found, **named, "labels": labels, "entity_labels": entities}
    return {**found, "labels": labels}


def outputs(built: Any, given: dict[str, Tensor]) -> list[Tensor]:
    """Every tensor of a pass without dropout, the loss the first."""
    with torch.no_grad():
        return [value for value in built.eval()(**given).values() if isinstance(value, Tensor)]
