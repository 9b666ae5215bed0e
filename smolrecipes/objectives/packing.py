"""Pieces of documents into blocks: best-fit decreasing, which cuts no document that fits (arXiv:2404.10830)."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def best_fit(sizes: Sequence[int], capacity: int) -> list[list[int]]:
    """The pieces of each block: the longest piece first, each into the fullest block that still has room for it.

    sizes: at most `capacity` each. Equal sizes keep their order, so the result depends on nothing else.
    """
    blocks: list[list[int]] = []
    roomy: dict[int, list[int]] = {}  # blocks by the room that is left in them
    rooms: list[int] = []  # the keys of `roomy`, sorted
    for piece in np.argsort(-np.asarray(sizes), kind="stable").tolist():
        at = bisect_left(rooms, sizes[piece])
        if at == len(rooms):
            block, room = len(blocks), capacity
            blocks.append([])
        else:
            room = rooms[at]
            block = roomy[room].pop()
            if not roomy[room]:
                del roomy[room], rooms[at]
        blocks[block].append(piece)
        left = room - sizes[piece]
        if left not in roomy:
            roomy[left] = []
            insort(rooms, left)
        roomy[left].append(block)
    return blocks


def pieces(ends: Any, size: int, overlap: int = 1) -> tuple[Any, Any]:
    """Where the pieces of at most `size + overlap` tokens of each document start and stop in the stream of all tokens.

    ends: where each document ends, (documents,). Pieces of one document start `size` apart: with an overlap of a token,
    each is predicted.
    """
    starts = np.concatenate([[0], ends[:-1]])
    counts = np.maximum(1, -(-(ends - starts - overlap) // size))
    within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    first = np.repeat(starts, counts) + within * size
    return first, np.minimum(first + size + overlap, np.repeat(ends, counts))
