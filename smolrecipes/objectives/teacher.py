"""A teacher beside the model: frozen, outside of what is trained and saved; and a student that starts from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from smolrecipes.errors import RecipeError
from smolrecipes.objectives.forward import Reached, before_head, head_is_plain, unwrap
from smolrecipes.objectives.losses import divergence
from smolrecipes.objectives.vocabulary import chunk_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture

BLOCK = re.compile(r"\.(\d+)\.")
DISTILBERT = {
    "bert.embeddings": "distilbert.embeddings",
    "bert.encoder.layer": "distilbert.transformer.layer",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
    "cls.predictions.transform.dense": "vocab_transform",
    "cls.predictions.transform.LayerNorm": "vocab_layer_norm",
    "cls.predictions.decoder": "vocab_projector",
}
"""What BERT's weights are called in DistilBERT."""


def attach(
    model: PreTrainedModel, teacher: Architecture, tokenizer: PreTrainedTokenizerBase, head: str, start: bool
) -> None:
    """Gives `model` its teacher, where neither optimizer nor checkpoint sees it, and starts from it if asked."""
    own = teacher.tokenizer()
    if own is not None and own.build(None).get_vocab() != tokenizer.get_vocab():
        raise RecipeError(
            "objective.teacher: its tokenizer is not that of the recipe, so their tokens cannot be compared; leave out "
            "tokenizer, and the teacher's is taken"
        )
    built = teacher.build(tokenizer, head).eval().requires_grad_(False)
    for one in (built, model):
        if not head_is_plain(one):
            raise RecipeError(
                f"{type(one).__name__} changes its logits after the head, and distillation compares what its head gives; take "
                "another model"
            )
    if start:
        start_from(model, built)
    model.__dict__["teacher"] = built


def taught(model: nn.Module, batch: dict[str, Any]) -> tuple[Reached, Reached]:
    """What the model and its teacher make of a batch."""
    teacher = unwrap(model).__dict__["teacher"]
    if teacher.device != batch["input_ids"].device:
        teacher.to(batch["input_ids"].device)
    with torch.no_grad():
        theirs = before_head(teacher, batch)
    return before_head(model, batch), theirs


def apart(student: Reached, teacher: Reached, temperature: float, kind: Literal["forward", "reverse", "jsd"]) -> Tensor:
    """The summed divergence of both at the labelled positions, chunk by chunk: all logits never exist."""

    def some(hidden: Tensor, theirs: Tensor) -> Tensor:
        with torch.no_grad():
            target = teacher.head(theirs)
        return divergence(student.head(hidden), target, temperature, kind).sum()

    rows = chunk_rows(student.hidden, student.head.out_features)
    parts = zip(torch.split(student.hidden, rows), torch.split(teacher.hidden, rows), strict=True)
    found = [checkpoint(some, *part, use_reentrant=False) for part in parts]
    return torch.stack(found).sum()


def directions(student: Reached, teacher: Reached) -> Tensor:
    """1 - cosine of the hidden states behind the backbones, summed over the labelled positions."""
    return (1 - F.cosine_similarity(student.states.float(), teacher.states.float(), dim=-1)).sum()


@torch.no_grad()
def start_from(student: PreTrainedModel, teacher: PreTrainedModel) -> None:
    """Copies the teacher's embeddings, head and evenly chosen blocks (arXiv:1910.01108, section 3)."""
    given, wanted = _named_for(student, teacher), student.state_dict()
    depths = [_depth(names) for names in (wanted, given)]
    if not depths[0] or depths[0] > depths[1]:
        raise RecipeError(
            f"objective.start: a student of {depths[0]} blocks does not begin with {depths[1]} of its teacher"
        )
    for name, weight in wanted.items():
        source = BLOCK.sub(lambda found: f".{int(found[1]) * depths[1] // depths[0]}.", name, count=1)
        if source not in given or given[source].shape != weight.shape:
            raise RecipeError(
                f"objective.start: the teacher has no {name} of shape {tuple(weight.shape)}; give the student its family and "
                "width, or objective.start=false"
            )
        weight.copy_(given[source])


def _named_for(student: PreTrainedModel, teacher: PreTrainedModel) -> dict[str, Tensor]:
    """The teacher's weights by the names that they have in the student."""
    given: dict[str, Tensor] = teacher.state_dict()
    kinds = (teacher.config.model_type, student.config.model_type)
    if kinds != ("bert", "distilbert"):
        return given
    types = given["bert.embeddings.token_type_embeddings.weight"][0]
    positions = "bert.embeddings.position_embeddings.weight"
    given = {**given, positions: given[positions] + types}  # a DistilBERT has one segment, and no table of them
    return {_renamed(name): weight for name, weight in given.items()}


def _renamed(name: str) -> str:
    for old, new in DISTILBERT.items():
        name = name.replace(old, new)
    return name


def _depth(names: dict[str, Tensor]) -> int:
    found = [BLOCK.search(name) for name in names]
    return 1 + max((int(match[1]) for match in found if match), default=-1)
