"""ALBERT, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.count import block, linear, prediction
from smolrecipes.architectures.encoder import Encoder
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
