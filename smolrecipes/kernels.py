"""Which kernels compute a run on a GPU, where that depends on what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from smolrecipes.attention import backend
from smolrecipes.objectives.losses import liger_fits
from smolrecipes.trainer import RecipeTrainer

if TYPE_CHECKING:
    from transformers import Trainer

NAMES = {"flash": "flash-attn", "flex": "FlexAttention"}


def kernels(trainer: Trainer) -> str:
    """` (attention: flash-attn, vocabulary: Liger)`; nothing on other devices and for the trainers of others."""
    if trainer.args.device.type != "cuda" or not isinstance(trainer, RecipeTrainer):
        return ""
    found = {"attention": _attention(trainer)}
    if trainer.objective.head == "causal":
        found["vocabulary"] = _vocabulary(trainer)
    return f" ({', '.join(f'{what}: {kernel}' for what, kernel in found.items())})"


def _attention(trainer: RecipeTrainer) -> str:
    args, model = trainer.args, trainer.parts.model
    if not trainer.parts.layout.packed:
        return str(model.config._attn_implementation)
    dtype = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else model.dtype
    return NAMES[backend("cuda", dtype)]


def _vocabulary(trainer: RecipeTrainer) -> str:
    head = trainer.parts.model.get_output_embeddings()
    bare = type(head) is torch.nn.Linear  # one that carries an adapter is computed by itself
    liger = trainer.objective.likelihood and bare and liger_fits("cuda", head.weight, head.bias)
    return "Liger" if liger else "chunked"
