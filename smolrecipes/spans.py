"""Where sequences lie that share a row, and what each attention kernel needs to know of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 128
"""Tokens of a block, as FlexAttention's kernels take them."""


class Span(NamedTuple):
    """One sequence: positions [start, end) of the row, which also see the positions [prefix, prefix_end) before it."""

    start: int
    end: int
    prefix: int = 0
    prefix_end: int = 0


class Spans:
    """Where the sequences of a packed row lie, and what each kernel needs to know of it, made once per batch."""

    def __init__(self, spans: list[Span], positions: Tensor) -> None:
        """positions: (tokens,), the place of each token in its own sequence, its prefix included."""
        self.spans, self.positions = spans, positions

    def to(self, device: torch.device) -> Spans:
        """These spans, for tensors on `device`; made once, for all passes over a batch."""
        if self.positions.device == device:
            return self
        moved: dict[torch.device, Spans] = self.__dict__.setdefault("_moved", {})
        if device not in moved:
            moved[device] = Spans(self.spans, self.positions.to(device))
        return moved[device]

    @cached_property
    def owner(self) -> Tensor:
        """(tokens, 4): the span of each token."""
        sizes = torch.tensor([span.end - span.start for span in self.spans])
        return torch.tensor(self.spans).repeat_interleave(sizes, 0).to(self.positions.device)

    @cached_property
    def keys(self) -> Tensor:
        """Indices of the keys that the sequences see, one after the other: prefix and self."""
        parts = [torch.arange(*part) for s in self.spans for part in ((s.prefix, s.prefix_end), (s.start, s.end))]
        return torch.cat(parts).to(self.positions.device)

    @cached_property
    def cumulative(self) -> tuple[Tensor, Tensor, int, int]:
        """Cumulative lengths of queries and keys, (sequences + 1,) int32 each, and the longest of both."""
        own = [span.end - span.start for span in self.spans]
        seen = [size + span.prefix_end - span.prefix for size, span in zip(own, self.spans)]
        queries, keys = (torch.tensor([0, *sizes]).cumsum(0).int().to(self.positions.device) for sizes in (own, seen))
        return queries, keys, max(own), max(seen)

    def block_mask(self, causal: bool, window: int | None) -> Any:
        """FlexAttention's mask of the whole row: made from the spans, since looking at every pair takes their square."""
        from torch.nn.attention.flex_attention import BlockMask

        owner, positions, key = self.owner, self.positions, (causal, window)
        made: dict[Any, Any] = self.__dict__.setdefault("_block_masks", {})
        if key not in made:

            def visible(batch: Tensor, head: Tensor, query: Tensor, at: Tensor) -> Tensor:
                own = (at >= owner[query, 0]) & (at < owner[query, 1])
                seen = own | ((at >= owner[query, 2]) & (at < owner[query, 3]))
                seen = seen & ((positions[at] <= positions[query]) | (not causal))  # in place it cannot be compiled
                return seen & near(positions[query] - positions[at], window, causal) if window else seen

            some, all_ = (
                _listed(torch.from_numpy(found).to(positions.device)) for found in self.blocks(causal, window)
            )
            size = len(positions)
            made[key] = BlockMask.from_kv_blocks(
                *some, *all_, BLOCK_SIZE=BLOCK, mask_mod=visible, seq_lengths=(size, size)
            )
        return made[key]

    def blocks(self, causal: bool, window: int | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(blocks, blocks) each: where some of the keys may be seen, and where every query sees every key."""
        count = -(-len(self.positions) // BLOCK)
        some, all_, close = (np.full((count, count), value) for value in (False, False, True))
        within = close
        if window:
            reach = window // BLOCK
            close = np.tril(np.triu(close, -reach - 1), reach + 1)
            within = np.tril(np.triu(within, 1 - reach), reach - 1)
        for span in self.spans:
            queries = slice(span.start // BLOCK, -(-span.end // BLOCK))
            some[queries, queries] |= close[queries, queries]
            if span.prefix_end > span.prefix:
                some[queries, span.prefix // BLOCK : -(-span.prefix_end // BLOCK)] = True
            whole = slice(-(-span.start // BLOCK), span.end // BLOCK)
            all_[whole, whole] = within[whole, whole]
        if causal:  # keys lie before their queries, in the row as well
            some, all_ = np.tril(some), np.tril(all_, -1)
        return some & ~all_, all_


def near(away: Tensor, window: int, causal: bool) -> Tensor:
    """Whether keys so far before their queries lie in the window: behind, or to both sides."""
    return away < window if causal else away.abs() < window


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks of keys each block of queries has, and which, as FlexAttention's kernels read them."""
    order = blocks.int().argsort(dim=1, descending=True, stable=True)
    return blocks.sum(1)[None, None].int(), order[None, None].int()
