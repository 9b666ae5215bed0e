"""ELECTRA's generator: a narrow encoder that shares the model's embeddings, and the tokens that it puts in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from smolrecipes.objectives.forward import before_head, unwrap
from smolrecipes.objectives.vocabulary import chunk_rows, label_nll

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture

SHARED = ("word_embeddings", "position_embeddings", "token_type_embeddings")


def attach(
    model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase, share: float
) -> None:
    """Gives `model` a `generator` of `share` of its width, or the one that was saved beside it."""
    generator = narrowed(architecture, share).build(tokenizer, "masked")
    own, theirs = (one.base_model.embeddings for one in (generator, model))
    for name in SHARED:
        getattr(own, name).weight = getattr(theirs, name).weight
    generator.tie_weights()
    model.add_module("generator", generator)
    tables = [f"{generator.base_model_prefix}.embeddings.{name}.weight" for name in SHARED]
    model._tied_weights_keys = {f"generator.{name}": name for name in tables}  # so that checkpoints hold each once


def narrowed(architecture: Any, share: float) -> Any:
    """The same family with fewer heads of the same size, and as wide a table of embeddings."""
    if "path" in architecture.options():
        return architecture.replace(path=f"{architecture.path}/generator")
    heads = max(1, round(architecture.heads * share))
    hidden = architecture.hidden // architecture.heads * heads
    ffn = architecture.ffn and max(1, round(architecture.ffn * share))
    return architecture.replace(heads=heads, hidden=hidden, ffn=ffn, embedding_size=architecture.embeddings)


def fill(model: nn.Module, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The generator's summed negative log-likelihood of the hidden tokens, and the tokens that it puts there, (labelled,).

    It runs beside the wrapped model, whose one forward pass is the detection's.
    """
    generator: Any = unwrap(model).generator
    _, hidden, head, _ = before_head(generator, batch)
    nll = label_nll(hidden, head.weight, batch["labels"], head.bias)
    with torch.no_grad():
        return nll, choose(hidden.detach(), head, batch["chances"])


def choose(hidden: Tensor, head: nn.Linear, chances: Tensor) -> Tensor:
    """The token at which the cumulative softmax reaches each chance: (labelled,), drawn from the softmax.

    By numbers of the row's own, not torch's, so that it depends on no batch and on no process.
    """
    rows = chunk_rows(hidden, head.out_features)
    found = []
    for some, chance in zip(torch.split(hidden, rows), torch.split(chances, rows), strict=True):
        reached = head(some).float().softmax(-1).cumsum(-1)
        found.append(torch.searchsorted(reached, chance[:, None].to(reached.dtype) * reached[:, -1:]))
    return torch.cat(found)[:, 0].clamp(max=head.out_features - 1)
