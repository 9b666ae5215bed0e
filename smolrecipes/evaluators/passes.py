"""Forward passes over sequences of any length: what their labels' log-probabilities come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Subject

TOKENS = 2048
"""Tokens of a forward pass, padding included."""


def answer(
    prompt: list[dict[str, Any]], said: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, tools: Any = None
) -> Any:
    """A prompt and an answer to it as a `Sequence` whose labels are the answer, with the token that ends it."""
    from smolrecipes.objectives.chat import continuation
    from smolrecipes.objectives.labels import IGNORE
    from smolrecipes.objectives.layout import Sequence

    before, after = continuation(prompt, said, tokenizer, tools)
    return Sequence([*before, *after], [*[IGNORE] * len(before), *after])


def check_predicts(subject: Subject) -> None:
    """RecipeError for a model that does not predict the next token."""
    if subject.model.config.is_encoder_decoder or not subject.model.can_generate():
        raise RecipeError("the model does not predict the next token of a text, so it gives texts no likelihood")


def summed(subject: Subject, sequences: Sequence[Any]) -> list[tuple[float, int]]:
    """Of each `objectives.layout.Sequence` the sum of its labels' log-probabilities, in nats, and how many they are.

    RecipeError for a sequence that is longer than the model reads.
    """
    import torch

    from smolrecipes.architectures.sizes import readable
    from smolrecipes.kinds import Layout
    from smolrecipes.objectives.forward import token_logps
    from smolrecipes.objectives.losses import sequence_sums

    longest, limit = max((len(one.ids) - 1 for one in sequences), default=0), readable(subject.model.config)
    if limit and longest > limit:
        raise RecipeError(
            f"a row has {longest:,} tokens, and the model reads {limit:,} at most; shorten it, or leave it out"
        )
    layout, found = Layout(subject.tokenizer.pad_token_id or 0), [(0.0, 0)] * len(sequences)
    mode = subject.model.training
    subject.model.eval()
    try:
        with torch.no_grad():
            for some in _together([len(one.ids) for one in sequences]):
                batch = layout([sequences[index] for index in some])
                batch = {n: part.to(subject.model.device) if hasattr(part, "to") else part for n, part in batch.items()}
                logps, rows = token_logps(subject.model, batch)
                sums = sequence_sums(logps.double(), rows, len(some)).tolist()
                counts = torch.bincount(rows, minlength=len(some)).tolist()
                for index, *one in zip(some, sums, counts):
                    found[index] = (one[0], int(one[1]))
    finally:
        subject.model.train(mode)
    return found


def _together(sizes: list[int]) -> Iterator[list[int]]:
    """Which sequences share a pass: of like length, so that little is padded."""
    some: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda index: sizes[index]):
        if some and (len(some) + 1) * sizes[index] > TOKENS:
            yield some
            some = []
        some.append(index)
    if some:
        yield some
