"""ELECTRA, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.count import block, linear
from smolrecipes.architectures.encoder import Encoder
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


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
