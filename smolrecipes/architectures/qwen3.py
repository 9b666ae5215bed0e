"""Qwen3, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.llama import Rotary
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class Qwen3(Rotary, name="qwen3"):
    """Llama with a norm on queries and keys (arXiv:2505.09388)."""

    head_size: Positive | None = None
    """Dimensions of a head; hidden / heads when None."""
    rope_theta: float = 1_000_000.0
    """Base of the rotary frequencies (arXiv:2104.09864)."""

    @classmethod
    def m600(cls) -> Self:
        """Qwen3 of 596 million parameters, whose vocabulary has 151,936 entries."""
        return cls(layers=28, hidden=1024, heads=16, kv_heads=8, head_size=128, ffn=3072, max_length=40_960)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import Qwen3Config

        return Qwen3Config(**self.sizes(tokenizer), head_dim=self.size, rope_parameters=self.rope())

    def norms(self) -> int:
        return 2 * self.hidden + 2 * self.size
