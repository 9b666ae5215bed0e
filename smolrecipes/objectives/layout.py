"""Sequences as one batch: side by side without padding where the architecture packs, else padded on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from smolrecipes.objectives.labels import IGNORE

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from numpy.typing import NDArray

    from smolrecipes.kinds import Layout


class Sequence(NamedTuple):
    """Tokens that attend to each other, and what is learned of them."""

    ids: Several[int]
    labels: Several[int]
    """Aligned with the ids; IGNORE where nothing is learned. The label of a token is predicted at the one before it."""
    shares: tuple[int, int] = (0, 0)
    """(i, n): the first n tokens are those of sequence i of the batch and need not be computed again."""
    types: Several[int] | None = None
    """The type of each token, as BERT tells two sentences apart; all sequences of a batch have types, or none has."""


def lay_out(given: Several[tuple[Any, ...]], layout: Layout, causal: bool) -> dict[str, Any]:
    """A batch of sequences; causal ones without their last tokens, which are only ever labels.

    See `kinds.Layout`, which calls it.
    """
    sequences = [Sequence(*one) for one in given]
    sizes = [len(sequence.ids) - causal for sequence in sequences]
    level = len(set(sizes)) == 1 and not any(sequence.shares[1] for sequence in sequences)
    packed = layout.packed and not level
    batch, starts = _pack(sequences, sizes, layout.first) if packed else _pad(sequences, sizes, layout.pad_id)
    labels = [np.asarray(sequence.labels, dtype=np.int64)[int(causal) :] for sequence in sequences]
    shares = [sequence.shares if packed else (0, 0) for sequence in sequences]
    return {**batch, **_learned(labels, sizes, starts, shares), "sequences": len(sizes), "input_tokens": sum(sizes)}


def lay_out_pairs(sources: Several[Any], targets: Several[Any], layout: Layout) -> dict[str, Any]:
    """Sources for the encoder and targets for the decoder, both padded; see `kinds.Layout`, which calls it."""
    sizes = [len(target) for target in targets]
    inputs = padded(sources, layout.pad_id)
    decoded = padded([[layout.start_id, *target[:-1]] for target in targets], layout.pad_id)
    seen = torch.arange(inputs.shape[1]) < torch.tensor([len(source) for source in sources])[:, None]
    labels = [np.asarray(target, dtype=np.int64) for target in targets]
    learned = _learned(labels, sizes, np.arange(len(sizes)) * decoded.shape[1], [(0, 0)] * len(sizes))
    batch = {"input_ids": torch.from_numpy(inputs), "attention_mask": seen.long()}
    facts = {"sequences": len(sizes), "input_tokens": int(seen.sum()) + sum(sizes)}
    return {**batch, "decoder_input_ids": torch.from_numpy(decoded), **learned, **facts}


def padded(rows: Several[Any], value: int) -> NDArray[np.int64]:
    """(rows, longest): each row and then `value`."""
    made = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for row, ids in enumerate(rows):
        made[row, : len(ids)] = ids
    return made


def _pad(sequences: list[Sequence], sizes: list[int], pad_id: int) -> tuple[dict[str, Any], NDArray[np.int64]]:
    inputs = padded([sequence.ids[:size] for sequence, size in zip(sequences, sizes)], pad_id)
    longest = inputs.shape[1]
    batch = {"input_ids": torch.from_numpy(inputs)}
    if sequences[0].types is not None:
        types = padded([sequence.types[:size] for sequence, size in zip(sequences, sizes) if sequence.types], 0)
        batch["token_type_ids"] = torch.from_numpy(types)
    if min(sizes) < longest:
        batch["attention_mask"] = (torch.arange(longest) < torch.tensor(sizes)[:, None]).long()
    return batch, np.arange(len(sequences)) * longest


def _pack(sequences: list[Sequence], sizes: list[int], first: int) -> tuple[dict[str, Any], NDArray[np.int64]]:
    from smolrecipes.spans import Span, Spans

    own = [size - n for size, (_, n) in zip(sizes, (sequence.shares for sequence in sequences))]
    starts = np.cumsum([0, *own])[:-1]
    positions = torch.from_numpy(np.concatenate([np.arange(s.shares[1], n) for s, n in zip(sequences, sizes)]))
    spans = [
        Span(int(start), int(start + size), int(starts[s.shares[0]]), int(starts[s.shares[0]] + s.shares[1]))
        if s.shares[1]
        else Span(int(start), int(start + size))
        for s, start, size in zip(sequences, starts, own)
        if size
    ]
    batch = {
        "input_ids": _joined([s.ids for s in sequences], sequences, sizes),
        "position_ids": positions[None] + first,
    }
    if sequences[0].types is not None:
        batch["token_type_ids"] = _joined([s.types for s in sequences if s.types is not None], sequences, sizes)
    return {**batch, "spans": Spans(spans, positions)}, starts


def _joined(parts: list[Several[int]], sequences: list[Sequence], sizes: list[int]) -> torch.Tensor:
    """(1, tokens): what each sequence does not share, side by side."""
    own = [np.asarray(part[s.shares[1] : n], dtype=np.int64) for part, s, n in zip(parts, sequences, sizes)]
    return torch.from_numpy(np.concatenate(own))[None]


def _learned(
    labels: list[NDArray[np.int64]], sizes: list[int], starts: NDArray[np.int64], shares: list[tuple[int, int]]
) -> dict[str, torch.Tensor]:
    """Where labels are predicted, which, and of which sequence each is: (labelled,) each, for all sequences at once."""
    every, rows = np.concatenate(labels), np.repeat(np.arange(len(sizes)), sizes)
    places = np.arange(len(every)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    (found,) = np.nonzero(every != IGNORE)
    rows, places = rows[found], places[found]
    base, shared = np.array(shares)[rows].T
    at = np.where(places < shared, starts[base] + places, starts[rows] + places - shared)
    made = {"at": at, "labels": every[found], "rows": rows}
    return {name: torch.from_numpy(part) for name, part in made.items()}
