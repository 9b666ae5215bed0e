"""Forward passes over sequences of any length: what their labels' log-probabilities come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolrecipes.kinds import Subject

TOKENS = 2048
"""Tokens of a forward pass, padding included."""


def summed(subject: Subject, sequences: Sequence[Any]) -> list[tuple[float, int]]:
    """Of each `objectives.layout.Sequence` the sum of its labels' log-probabilities, in nats, and how many they are."""
    import torch

    from smolrecipes.kinds import Layout
    from smolrecipes.objectives.forward import token_logps
    from smolrecipes.objectives.losses import sequence_sums

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
