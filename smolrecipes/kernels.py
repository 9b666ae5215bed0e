"""Which kernels compute a run on a GPU, where that depends on what is installed, the rows and the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from smolrecipes.attention import backend
from smolrecipes.objectives.forward import head_is_plain, unwrap
from smolrecipes.objectives.liger import liger_fits
from smolrecipes.trainer import RecipeTrainer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer, TrainingArguments

NAMES = {"flash": "flash-attn", "varlen": "torch's varlen kernel", "flex": "FlexAttention", "sdpa": "SDPA"}
DROPOUTS = ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob")
"""What configs call the dropout of attention."""


def computed_by(trainer: Trainer) -> str:
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
        chosen = str(model.config._attn_implementation)
        return NAMES.get(chosen, chosen)
    if "spans" not in next(iter(trainer.get_train_dataloader())):  # sequences of one length need no packing
        return NAMES["sdpa"]
    return NAMES[kernel(model, args)]


def kernel(model: PreTrainedModel, args: TrainingArguments) -> str:
    """What computes a model's attention without padding where it is trained so: a name of `attention.KERNELS`."""
    config = model.config.get_text_config()
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    dropout = max(getattr(config, name, 0.0) or 0.0 for name in DROPOUTS)
    dtype = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else model.dtype
    return backend(args.device, dtype, size, dropout)


def _vocabulary(trainer: RecipeTrainer) -> str:
    model = unwrap(trainer.parts.model)
    with trainer.compute_loss_context_manager():  # the answer is kept, so it is asked as the run will
        if not head_is_plain(model):
            return "every logit"
    head = model.get_output_embeddings()
    bare = type(head) is torch.nn.Linear  # one that carries an adapter is computed by itself
    liger = trainer.objective.likelihood and bare and liger_fits("cuda", head.weight, head.bias)
    return "Liger" if liger else "chunked"
