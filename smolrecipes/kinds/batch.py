"""What an objective makes and gets: how sequences become tensors, a loss as sums, the parts of a trainer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments


@dataclass(frozen=True)
class Mean:
    """A sum and what it is a sum over; the core divides by the count of the whole global batch."""

    sum: Tensor
    over: str
    """The name of a count that `Objective.counts` gives: tokens, pairs, rows."""
    weight: float = 1.0


@dataclass(frozen=True)
class Loss:
    """What an objective computed on one micro-batch: the loss is the weighted sum of the terms' means."""

    terms: dict[str, Mean]
    metrics: dict[str, Mean] = field(default_factory=dict)
    """Further numbers to log, each averaged like a term, without weight in the loss."""
    answers: dict[str, Tensor] = field(default_factory=dict)
    """What the model answers and what is right, first dimension alike: `Objective.measure` gets those of all held-out rows."""


@dataclass(frozen=True)
class Layout:
    """How the sequences of a batch become tensors: side by side where the architecture packs, else padded."""

    pad_id: int = 0
    packed: bool = False
    """Whether the model's attention takes sequences side by side."""
    first: int = 0
    """The position of a sequence's first token; RoBERTa and its kin count from the padding token's id on."""
    start_id: int = 0
    """The token that the decoder of an encoder-decoder starts with."""

    def __call__(self, sequences: Sequence[tuple[Any, ...]], causal: bool = True) -> dict[str, Any]:
        """A batch of sequences, each an `objectives.layout.Sequence` or the tuple (ids, labels), lists of one length.

        Labels are aligned with the ids, -100 where nothing is learned; that of a token is predicted at the one before
        it, or at its own place when not `causal`. `shares=(i, n)`: the first n ids are those of sequence i, which
        packing does not compute again. Returns `input_ids`, (1, tokens) packed or (sequences, longest) padded, with
        what the model needs beside them (`position_ids` and `spans`, or `attention_mask` when there is padding;
        `token_type_ids` where sequences have types); `at`, `labels`, `rows`, (labelled,) each: where in the flattened
        positions a label is predicted, which, and of which sequence it is; `sequences`, their number; and
        `input_tokens`, their tokens, every sequence counted whole.
        """
        from smolrecipes.objectives.layout import lay_out

        return lay_out(sequences, self, causal)

    def pairs(self, sources: Sequence[Any], targets: Sequence[Any]) -> dict[str, Any]:
        """A batch for an encoder-decoder: the ids of each source, and those of each target, all of which are learned.

        Returns `input_ids` and `attention_mask`, (pairs, longest source); `decoder_input_ids`, (pairs, longest target),
        the target after `start_id`; and, as for other sequences, `at`, `labels`, `rows`, `sequences` and
        `input_tokens`, those of both sides.
        """
        from smolrecipes.objectives.layout import lay_out_pairs

        return lay_out_pairs(sources, targets, self)


@dataclass(frozen=True)
class Parts:
    """What a trainer is made of, once everything is built."""

    model: PreTrainedModel
    arguments: TrainingArguments
    tokenizer: PreTrainedTokenizerBase
    train_rows: Dataset
    validation_rows: Dataset | None
    train: Dataset
    validation: Dataset | None
    """Rows prepared by the objective (`train_rows` and `validation_rows` are as they were loaded)."""
    callbacks: Sequence[Any]
    batch: int
    """Rows of a global batch."""
    batch_tokens: int | None
    """Or its tokens, when given."""
    max_length: int
    seed: int
    layout: Layout
    group_by_length: bool = False
    """Whether global batches are of rows of like length."""
