"""DistilBERT, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.encoder import Encoder
from smolrecipes.architectures.special import ends, special

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class DistilBERT(Encoder, name="distilbert"):
    """BERT without segments, of half its depth, taught by it (arXiv:1910.01108)."""

    specials = "distilbert"
    exact = True

    activation: Literal["gelu", "relu"] = "gelu"
    """In the feed-forward layer."""
    positions: Literal["learned", "sinusoidal"] = "learned"
    """A table that is trained, or one of sines that is not (arXiv:1706.03762)."""

    @classmethod
    def base(cls) -> Self:
        """66 million parameters."""
        return cls(layers=6, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import DistilBertConfig

        return DistilBertConfig(
            vocab_size=len(tokenizer),
            dim=self.hidden,
            hidden_dim=self.width,
            n_layers=self.layers,
            n_heads=self.heads,
            max_position_embeddings=self.max_length,
            sinusoidal_pos_embds=self.positions == "sinusoidal",
            activation=self.activation,
            dropout=self.dropout,
            attention_dropout=self.dropout,
            tie_word_embeddings=self.tied,
            initializer_range=self.std,
            **ends(special(tokenizer, self)),
        )

    def parameters(self, vocabulary: int) -> int:
        return super().parameters(vocabulary) - 2 * self.hidden - (0 if self.tied else vocabulary)
