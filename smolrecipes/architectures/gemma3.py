"""Gemma 3, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.llama import Rotary
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class Gemma3(Rotary, name="gemma3"):
    """Five blocks with a window for one that sees all, norms before and after each branch (arXiv:2503.19786)."""

    head_size: Positive | None = None
    """Dimensions of a head; hidden / heads when None."""
    window: Positive = 512
    """Tokens that blocks with a window see."""
    full_every: Positive = 6
    """Every so many blocks see all tokens."""
    rope_theta: float = 1_000_000.0
    """Base of the rotary frequencies where all is seen; 10,000 in blocks with a window."""

    @classmethod
    def m270(cls) -> Self:
        """Gemma 3 of 268 million parameters, whose vocabulary has 262,144 entries."""
        return cls(layers=18, hidden=640, heads=4, kv_heads=1, head_size=256, ffn=2048, max_length=32_768)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import Gemma3TextConfig

        local = {"rope_type": "default", "rope_theta": 10_000.0}
        kinds = ("sliding_attention", "full_attention")
        return Gemma3TextConfig(
            **self.sizes(tokenizer),
            head_dim=self.size,
            query_pre_attn_scalar=self.size,
            sliding_window=self.window,
            layer_types=[kinds[(block + 1) % self.full_every == 0] for block in range(self.layers)],
            rope_parameters=dict(zip(kinds, (local, self.rope()))),
        )

    def norms(self) -> int:
        return 4 * self.hidden + 2 * self.size
