"""Attention without padding: sequences lie side by side in one row, and each sees itself and its prefix, nothing else."""

from __future__ import annotations

from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "packed"
"""What `set_attn_implementation` calls it."""

REFUSED = ("softcap", "s_aux", "position_bias", "cache")
"""Arguments of models whose attention is more than a softmax over keys; none of those declares that it packs."""


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
        """These spans, for tensors on `device`."""
        return self if self.positions.device == device else Spans(self.spans, self.positions.to(device))

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
        """FlexAttention's mask of the whole row."""
        from torch.nn.attention.flex_attention import create_block_mask

        owner, positions, key = self.owner, self.positions, (causal, window)
        made: dict[Any, Any] = self.__dict__.setdefault("_block_masks", {})
        if key not in made:

            def visible(batch: Tensor, head: Tensor, query: Tensor, at: Tensor) -> Tensor:
                own = (at >= owner[query, 0]) & (at < owner[query, 1])
                seen = own | ((at >= owner[query, 2]) & (at < owner[query, 3]))
                seen &= (positions[at] <= positions[query]) | (not causal)
                return seen & _near(positions[query] - positions[at], window, causal) if window else seen

            made[key] = create_block_mask(visible, None, None, len(positions), len(positions), positions.device)
        return made[key]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    spans: Spans | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it; without `spans`, when generating say, it is SDPA's.

    query: (1, heads, tokens, size); key, value: (1, kv heads, tokens, size). Returns (1, tokens, heads, size).
    """
    if spans is None:
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **others
        )
    if refused := [name for name in REFUSED if others.get(name) is not None]:
        raise NotImplementedError(f"packed attention has no {refused[0]}, which {type(module).__name__} asks for")
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    kernel = KERNELS[backend(query)]
    return kernel(query, key, value, spans, dropout, scaling, sliding_window, causal).contiguous(), None


def backend(query: Tensor) -> str:
    """Which kernel computes it: flash-attn's varlen kernel or FlexAttention on a GPU, SDPA per sequence elsewhere."""
    if query.device.type != "cuda":
        return "sdpa"
    half = query.dtype in (torch.float16, torch.bfloat16)
    return "flash" if half and _flash_is_installed() else "flex"


@lru_cache(maxsize=1)
def _flash_is_installed() -> bool:
    return find_spec("flash_attn") is not None


def _sdpa(
    query: Tensor, key: Tensor, value: Tensor, spans: Spans, dropout: float, scaling: float | None, window: int | None,
    causal: bool,
) -> Tensor:  # fmt: skip
    """One call per sequence: no mask of the whole row, whose size would grow with the square of the batch."""
    groups = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    sizes = [span.end - span.start for span in spans.spans]
    places = {span.start: index for index, span in enumerate(spans.spans)}
    queries, keys, values = (torch.split(tensor, sizes, 2) for tensor in (query, key, value))
    outputs = []
    for index, span in enumerate(spans.spans):
        before = span.prefix_end - span.prefix
        k, v = keys[index], values[index]
        if before:  # the prefix begins where another sequence begins
            base = places[span.prefix]
            k, v = (torch.cat([all_[base][:, :, :before], own], 2) for all_, own in ((keys, k), (values, v)))
        cut = window is not None and before + sizes[index] > window
        mask = _band(before, sizes[index], window if cut else None, causal) if cut or (causal and before) else None
        outputs.append(
            F.scaled_dot_product_attention(
                queries[index], k, v, mask if mask is None else mask.to(query.device), dropout,
                is_causal=causal and mask is None, scale=scaling,
            )
        )  # fmt: skip
    return torch.cat(outputs, 2).transpose(1, 2)


@lru_cache(maxsize=256)
def _band(before: int, size: int, window: int | None, causal: bool) -> Tensor:
    """(size, before + size): which keys a sequence of `size` queries after `before` more keys sees."""
    away = torch.arange(before, before + size)[:, None] - torch.arange(before + size)
    seen = (away >= 0) | (not causal)
    return seen & _near(away, window, causal) if window else seen


def _near(away: Tensor, window: int, causal: bool) -> Tensor:
    """Whether keys so far before their queries lie in the window: behind, or to both sides."""
    return away < window if causal else away.abs() < window


def _flex(
    query: Tensor, key: Tensor, value: Tensor, spans: Spans, dropout: float, scaling: float | None, window: int | None,
    causal: bool,
) -> Tensor:  # fmt: skip
    from torch.nn.attention.flex_attention import flex_attention

    if dropout:
        raise NotImplementedError("FlexAttention has no dropout; set the model's attention dropout to 0")
    attend = _compiled(flex_attention) if query.device.type == "cuda" else flex_attention
    mask = spans.block_mask(causal, window)
    grouped = query.shape[1] != key.shape[1]
    found: Tensor = attend(query, key, value, block_mask=mask, scale=scaling, enable_gqa=grouped)
    return found.transpose(1, 2)


@lru_cache(maxsize=1)
def _compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=True)


def _flash(
    query: Tensor, key: Tensor, value: Tensor, spans: Spans, dropout: float, scaling: float | None, window: int | None,
    causal: bool,
) -> Tensor:  # fmt: skip
    from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found]

    queries, keys, longest_query, longest_key = spans.cumulative
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    if len(spans.keys) != k.shape[0]:
        k, v = k[spans.keys], v[spans.keys]
    width = (window - 1, 0 if causal else window - 1) if window else (-1, -1)
    found: Tensor = flash_attn_varlen_func(
        q, k, v, queries, keys, longest_query, longest_key, dropout, scaling, causal, window_size=width
    )
    return found[None]


KERNELS = {"sdpa": _sdpa, "flex": _flex, "flash": _flash}

AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
