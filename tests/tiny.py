"""Every architecture at a toy size, for tests of whatever works with all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

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
    LUKE: {"entities": 20},
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
