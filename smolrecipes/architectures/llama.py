"""Llama: the decoder of today's small models, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture
from smolrecipes.recipe import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Llama(Architecture, name="llama"):
    """Pre-norm decoder with rotary positions, RMSNorm and gated units (arXiv:2302.13971)."""

    layers: Positive = 4
    """Transformer blocks."""
    hidden: Positive = 192
    """Width of the residual stream; a multiple of `heads`."""
    heads: Positive = 6
    """Attention heads."""
    kv_heads: Positive | None = None
    """Key and value heads shared by groups of heads (arXiv:2305.13245); as many as heads when None."""
    ffn: Positive | None = None
    """Width of the gated feed-forward layer; 8/3 of hidden, rounded up to a multiple of 32, when None."""
    max_length: Positive = 2048
    """Positions the model is declared for."""
    rope_theta: float = 10_000.0
    """Base of the rotary frequencies (arXiv:2104.09864)."""
    tied: bool = True
    """Share the embedding with the output head, as small models do."""
    init_std: float | None = None
    """Standard deviation of the first weights; sqrt(2 / (5 hidden)) when None (arXiv:1910.05895): narrow models that
    start from transformers' 0.02 learn far more slowly."""
    attention: str = option(default="sdpa", affects_weights=False)
    """transformers' attention implementation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise RecipeError(
                f"Llama: hidden={self.hidden} over heads={self.heads} is {self.hidden / self.heads:g} per head; "
                "rotary positions need a whole, even size: change one of them"
            )
        if self.heads % (self.kv_heads or self.heads):
            raise RecipeError(f"Llama: heads={self.heads} is not a multiple of kv_heads={self.kv_heads}")

    def packs(self, model: PreTrainedModel) -> bool:
        return self.attention == "sdpa"

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> PreTrainedModel:
        """A new model; vocabulary and special ids are the tokenizer's, weights follow torch's current seed."""
        from transformers import LlamaConfig

        from smolrecipes.architectures.heads import check_sizes, with_head

        model = with_head(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=self.hidden,
                intermediate_size=self.ffn or -(-self.hidden * 8 // 3 // 32) * 32,
                num_hidden_layers=self.layers,
                num_attention_heads=self.heads,
                num_key_value_heads=self.kv_heads or self.heads,
                max_position_embeddings=self.max_length,
                rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta},
                tie_word_embeddings=self.tied,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                initializer_range=self.init_std or (2 / (5 * self.hidden)) ** 0.5,
                attn_implementation=self.attention,
            ),
            head,
            labels,
        )
        return check_sizes(model, "Llama", layers=self.layers, hidden=self.hidden, vocabulary=len(tokenizer))
