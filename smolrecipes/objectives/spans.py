"""Texts with holes, as T5 and BART read them; all of it follows from the random numbers given."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


@lru_cache(maxsize=8)
def sentinels(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The ids of `<extra_id_0>`, `<extra_id_1>` and so on, as many as there are."""
    known = tokenizer.get_vocab()
    found: list[int] = []
    while (token := f"<extra_id_{len(found)}>") in known:
        found.append(known[token])
    return tuple(found)


def holes(size: int, density: float, span: float) -> tuple[int, int]:
    """How many of `size` tokens are cut out, and in how many holes."""
    cut = min(max(1, round(size * density)), max(1, size - 1))
    return cut, min(max(1, round(cut / span)), max(1, size - cut))


def corrupt(
    ids: Sequence[int], rng: Generator, marks: Sequence[int], density: float, span: float
) -> tuple[list[int], list[int]]:
    """A text with a mark for each hole, and the marks with what was in the holes.

    Lengths of holes and of what is between them are drawn as T5 draws them: every division into so many parts is as
    likely as any other. A text begins with a token that is kept, and ends in a hole.
    """
    cut, count = holes(len(ids), density, span)
    seen: list[int] = []
    target: list[int] = []
    at = 0
    for mark, kept, lost in zip(marks, _parts(len(ids) - cut, count, rng), _parts(cut, count, rng)):
        seen += [*ids[at : at + kept], mark]
        target += [mark, *ids[at + kept : at + kept + lost]]
        at += kept + lost
    return [int(one) for one in seen], [int(one) for one in target]


def _parts(total: int, count: int, rng: Generator) -> list[int]:
    """`total` as a sum of `count` numbers of 1 at least, or all zeros for 0."""
    if not total:
        return [0] * count
    cuts = np.sort(rng.choice(total - 1, count - 1, replace=False)) + 1
    return [int(part) for part in np.diff([0, *cuts, total])]


def infill(ids: Sequence[int], rng: Generator, mask: int, share: float, span: float) -> list[int]:
    """A text in which holes, of Poisson(span) tokens each and a `share` of all in sum, are one mask token each.

    A hole of no tokens is a mask where nothing was. No two holes touch.
    """
    lengths: list[int] = []
    cut = round(len(ids) * share)
    while sum(lengths) < cut:
        lengths.append(min(int(rng.poisson(span)), cut - sum(lengths)))
    kept = len(ids) - cut
    rest, lengths = lengths[kept + 1 :], lengths[: kept + 1]  # there are no more places for holes that do not touch
    lengths[:1] = [sum(rest, *lengths[:1])]
    places = sorted(rng.choice(kept + 1, len(lengths), replace=False).tolist())
    made: list[int] = []
    at = passed = 0
    for place, length in zip(places, lengths):
        made += [*ids[at : at + place - passed], mask]
        at += place - passed + length
        passed = place
    return [int(one) for one in (*made, *ids[at:])]


def permute(ids: NDArray[np.int64], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> NDArray[np.int64]:
    """The sentences of a text in another order."""
    sentences = [part for part in np.split(ids, sentence_ends(ids, tokenizer) + 1) if len(part)]
    return np.concatenate([sentences[i] for i in rng.permutation(len(sentences))])


def sentence_ends(ids: NDArray[np.int64], tokenizer: PreTrainedTokenizerBase) -> NDArray[np.int64]:
    """Places of the tokens that end a sentence."""
    return np.flatnonzero(_ends_sentence(tokenizer)[ids])


@lru_cache(maxsize=8)
def _ends_sentence(tokenizer: PreTrainedTokenizerBase) -> NDArray[np.bool_]:
    """(vocabulary,): which tokens end a sentence: full stops, question and exclamation marks, and control tokens."""
    from smolrecipes.objectives.masking import ordinary

    texts = [tokenizer.decode([one]) for one in range(len(tokenizer))]
    marks = np.array([bool(re.search(r"[.!?…][\"'»”)]*\s*$", text)) for text in texts])
    return marks | ~ordinary(tokenizer)
