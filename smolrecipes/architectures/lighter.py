"""Encoders that cost less than BERT, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.bert import Encoder
from smolrecipes.architectures.count import block, linear, prediction
from smolrecipes.architectures.special import ends, special
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class ALBERT(Encoder, name="albert"):
    """One block's weights for all blocks, and a narrow table of embeddings (arXiv:1909.11942)."""

    exact = True
    lacks = ("gradient checkpointing",)

    embedding_size: Positive | None = None
    """Width of the table of embeddings; 128, or hidden where that is less, when None."""

    @property
    def embeddings(self) -> int:
        return self.embedding_size or min(128, self.hidden)

    @classmethod
    def base(cls) -> Self:
        """12 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import AlbertConfig

        return AlbertConfig(**self.sizes(tokenizer), embedding_size=self.embeddings)

    def parameters(self, vocabulary: int) -> int:
        table = self.embeddings
        body = (vocabulary + self.max_length + 4) * table + linear(table, self.hidden) + block(self.hidden, self.width)
        return body + prediction(self.hidden, table, vocabulary, self.tied)


class ELECTRA(Encoder, name="electra"):
    """The encoder that finds replaced words: with `masked` a generator, with `discriminator` itself (arXiv:2003.10555)."""

    head = "discriminator"
    exact = True

    embedding_size: Positive | None = None
    """Width of the table of embeddings; 128, or hidden where that is less, when None."""

    @property
    def embeddings(self) -> int:
        return self.embedding_size or min(128, self.hidden)

    @classmethod
    def small(cls) -> Self:
        """14 million parameters."""
        return cls(layers=12, hidden=256, heads=4)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import ElectraConfig

        return ElectraConfig(**self.sizes(tokenizer), embedding_size=self.embeddings)

    def parameters(self, vocabulary: int) -> int:
        table = self.embeddings
        wider = linear(table, self.hidden) if table != self.hidden else 0
        body = (vocabulary + self.max_length + 4) * table + wider + self.layers * block(self.hidden, self.width)
        return body + linear(self.hidden, self.hidden) + linear(self.hidden, 1)


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
