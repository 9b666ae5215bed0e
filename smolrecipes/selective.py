"""Selective checkpointing: what the backward pass computes again, and what is kept for it."""

from __future__ import annotations

from typing import Any

KEPT = frozenset({
    "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention", "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention", "torch_attn::_varlen_attn", "flash_attn::_flash_attn_varlen_forward",
    "flex_attention", "bitsandbytes::gemm_4bit",
})  # fmt: skip
"""The operations whose results selective checkpointing keeps: they cost far more time than memory."""


def selective() -> Any:
    """The contexts for `torch.utils.checkpoint` that recompute everything but matrix products and attention."""
    from torch.utils.checkpoint import create_selective_checkpoint_contexts

    return create_selective_checkpoint_contexts(_policy)  # type: ignore[no-untyped-call]


def _policy(context: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
    from torch.utils.checkpoint import CheckpointPolicy

    return CheckpointPolicy.MUST_SAVE if operation.name() in KEPT else CheckpointPolicy.PREFER_RECOMPUTE
