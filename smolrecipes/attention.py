"""Attention without padding: sequences lie side by side in one row, and each sees itself and its prefix, nothing else."""

from __future__ import annotations

import inspect
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from smolrecipes.spans import near

if TYPE_CHECKING:
    from smolrecipes.spans import Spans

NAME = "packed"
"""What `set_attn_implementation` calls it."""

REFUSED = ("softcap", "s_aux", "position_bias", "cache")
"""Arguments of models whose attention is more than a softmax over keys; none of those declares that it packs."""


class How(NamedTuple):
    """What a kernel computes, beside the sequences."""

    dropout: float = 0.0
    scaling: float | None = None
    window: int | None = None
    causal: bool = True

    @property
    def reach(self) -> tuple[int, int]:
        """How many keys before and after its own a query sees, as flash-attn counts them: -1 is all."""
        far = self.window - 1 if self.window else -1
        return far, 0 if self.causal else far


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
    A block that is compiled holds SDPA's in its graph, and leaves the graph where sequences lie side by side.
    """
    if spans is None:
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **others
        )
    if refused := [name for name in REFUSED if others.get(name) is not None]:
        raise NotImplementedError(f"packed attention has no {refused[0]}, which {type(module).__name__} asks for")
    causal = bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)
    return _side_by_side(query, key, value, spans, How(dropout, scaling, sliding_window, causal)), None


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _side_by_side(query: Tensor, key: Tensor, value: Tensor, spans: Spans, how: How) -> Tensor:
    """Packed attention by the kernel that the device has."""
    query, key, value = (_as_autocast(tensor) for tensor in (query, key, value))
    kernel = KERNELS[backend(query.device, query.dtype, query.shape[-1], how.dropout)]
    found: Tensor = kernel(query, key, value, spans, how)
    return found.contiguous()


def _as_autocast(tensor: Tensor) -> Tensor:
    """In autocast's type: rotary positions leave queries and keys in float32 beside values in bfloat16."""
    device = tensor.device.type
    if not torch.is_autocast_enabled(device) or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))


def backend(device: torch.device, dtype: torch.dtype, size: int, dropout: float = 0.0) -> str:
    """Which kernel computes heads of this size: on a GPU, where they fit, flash-attn's varlen kernel or torch's own, else
    FlexAttention; SDPA per sequence elsewhere, and for what FlexAttention has not: dropout, and heads below 16."""
    if device.type != "cuda":
        return "sdpa"
    half = dtype in (torch.float16, torch.bfloat16)
    fits = half and size <= 256 and torch.cuda.get_device_capability(device) >= (8, 0)
    if fits and _flash_is_installed():
        return "flash"
    if fits and size % 8 == 0 and not dropout and _varlen_is_there():
        return "varlen"
    return "sdpa" if dropout or size < 16 else "flex"


@lru_cache(maxsize=1)
def _flash_is_installed() -> bool:
    """Of a mere folder of that name Python makes a package without a file."""
    return getattr(find_spec("flash_attn"), "origin", None) is not None


@lru_cache(maxsize=1)
def _varlen_is_there() -> bool:
    """Whether torch has it, with windows."""
    if find_spec("torch.nn.attention.varlen") is None:
        return False
    from torch.nn.attention.varlen import varlen_attn

    return {"scale", "window_size"} <= set(inspect.signature(varlen_attn).parameters)


def _sdpa(query: Tensor, key: Tensor, value: Tensor, spans: Spans, how: How) -> Tensor:
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
        cut = how.window if how.window and before + sizes[index] > how.window else None
        mask = _band(before, sizes[index], cut, how.causal, query.device) if cut or (how.causal and before) else None
        causal = how.causal and mask is None
        outputs.append(
            F.scaled_dot_product_attention(queries[index], k, v, mask, how.dropout, causal, scale=how.scaling)
        )
    return torch.cat(outputs, 2).transpose(1, 2)


@lru_cache(maxsize=256)
def _band(before: int, size: int, window: int | None, causal: bool, device: torch.device) -> Tensor:
    """(size, before + size): which keys a sequence of `size` queries after `before` more keys sees."""
    away = torch.arange(before, before + size, device=device)[:, None] - torch.arange(before + size, device=device)
    seen = (away >= 0) | (not causal)
    return seen & near(away, window, causal) if window else seen


def _flex(query: Tensor, key: Tensor, value: Tensor, spans: Spans, how: How) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    attend = _compiled(flex_attention) if query.device.type == "cuda" else flex_attention
    mask = spans.block_mask(how.causal, how.window)
    grouped = query.shape[1] != key.shape[1]
    found: Tensor = attend(query, key, value, block_mask=mask, scale=how.scaling, enable_gqa=grouped)
    return found.transpose(1, 2)


@lru_cache(maxsize=1)
def _compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=True)


def _flash(query: Tensor, key: Tensor, value: Tensor, spans: Spans, how: How) -> Tensor:
    from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found]

    q, k, v = _in_a_row(query, key, value, spans)
    found: Tensor = flash_attn_varlen_func(
        q, k, v, *spans.cumulative, how.dropout, how.scaling, how.causal, window_size=how.reach
    )
    return found[None]


def _varlen(query: Tensor, key: Tensor, value: Tensor, spans: Spans, how: How) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    groups = query.shape[1] // key.shape[1]  # not every torch that has it takes fewer heads of keys
    q, k, v = _in_a_row(query, repeat_kv(key, groups), repeat_kv(value, groups), spans)
    found: Any = varlen_attn(q, k, v, *spans.cumulative, scale=how.scaling, window_size=how.reach)
    return found[None]  # type: ignore[no-any-return]


def _in_a_row(query: Tensor, key: Tensor, value: Tensor, spans: Spans) -> tuple[Tensor, Tensor, Tensor]:
    """(tokens, heads, size) each; keys and values that several sequences see are repeated for each."""
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    return (q, k, v) if len(spans.keys) == k.shape[0] else (q, k[spans.keys], v[spans.keys])


KERNELS = {"sdpa": _sdpa, "flex": _flex, "flash": _flash, "varlen": _varlen}

AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
