"""Llama: the decoder of today's small models, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ids
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Gt, Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class Rotary(Scratch):
    """What today's decoders share: rotary positions, RMSNorm, gated units, groups of heads that share their keys."""

    rotary = True
    gated = True
    exact = True

    kv_heads: Positive | None = None
    """Key and value heads shared by groups of heads (arXiv:2305.13245); as many as heads when None."""
    ffn: Positive | None = None
    """Width of the gated feed-forward layer; 8/3 of hidden, rounded up to a multiple of 32, when None."""
    max_length: Positive = 2048
    """Positions the model is declared for."""
    rope_theta: float = 10_000.0
    """Base of the rotary frequencies (arXiv:2104.09864)."""
    rope_scaling: Literal["linear", "dynamic", "yarn"] | None = option(default=None, added=True)
    """How the frequencies are stretched, for texts longer than rotary positions were made for (yarn: arXiv:2309.00071)."""
    rope_factor: Annotated[float, Gt(1)] = option(default=2.0, added=True)
    """How many times longer, where `rope_scaling` is set."""
    tied: bool = True
    """Share the embedding with the output head, as small models do."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads % (self.kv_heads or self.heads):
            who = type(self).__name__
            raise RecipeError(f"{who}: heads={self.heads} is not a multiple of kv_heads={self.kv_heads}")

    @property
    def size(self) -> int:
        """Of a head."""
        return getattr(self, "head_size", None) or self.hidden // self.heads

    def sizes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """What their configs have in common."""
        return {
            "vocab_size": len(tokenizer),
            "hidden_size": self.hidden,
            "intermediate_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads or self.heads,
            "max_position_embeddings": self.max_length,
            "tie_word_embeddings": self.tied,
            "initializer_range": self.std,
            **ids(tokenizer),
        }

    def rope(self) -> dict[str, Any]:
        """The rotary frequencies, stretched or not."""
        plain = {"rope_type": self.rope_scaling or "default", "rope_theta": self.rope_theta}
        if self.rope_scaling is None:
            return plain
        made_for = round(self.max_length / self.rope_factor)
        return {**plain, "factor": self.rope_factor, "original_max_position_embeddings": made_for}

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        projections = 2 * h * self.size * (self.heads + (self.kv_heads or self.heads))
        blocks = self.layers * (projections + 3 * h * self.width + self.norms())
        return vocabulary * h * (1 if self.tied else 2) + blocks + h

    def norms(self) -> int:
        """Weights of a block's norms."""
        return 2 * self.hidden


class Llama(Rotary, name="llama"):
    """Pre-norm decoder with rotary positions, RMSNorm and gated units (arXiv:2302.13971)."""

    @classmethod
    def m135(cls) -> Self:
        """SmolLM2 of 135 million parameters (arXiv:2502.02737), whose vocabulary has 49,152 entries."""
        return cls(layers=30, hidden=576, heads=9, kv_heads=3, ffn=1536, max_length=8192, rope_theta=100_000.0)

    @classmethod
    def m360(cls) -> Self:
        """SmolLM2 of 362 million parameters (arXiv:2502.02737)."""
        return cls(layers=32, hidden=960, heads=15, kv_heads=5, ffn=2560, max_length=8192, rope_theta=100_000.0)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import LlamaConfig

        return LlamaConfig(**self.sizes(tokenizer), rope_parameters=self.rope())


SmolLM2 = Llama
"""SmolLM2 is a Llama by its sizes: `SmolLM2.m135()`."""
