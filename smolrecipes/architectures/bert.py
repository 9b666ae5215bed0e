"""BERT, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.encoder import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class BERT(Encoder, name="bert"):
    """The encoder that predicts hidden words from both sides (arXiv:1810.04805); its small sizes: arXiv:1908.08962."""

    exact = True

    @classmethod
    def tiny(cls) -> Self:
        """4 million parameters."""
        return cls(layers=2, hidden=128, heads=2)

    @classmethod
    def mini(cls) -> Self:
        """11 million parameters."""
        return cls(layers=4, hidden=256, heads=4)

    @classmethod
    def small(cls) -> Self:
        """29 million parameters."""
        return cls(layers=4, hidden=512, heads=8)

    @classmethod
    def medium(cls) -> Self:
        """41 million parameters."""
        return cls(layers=8, hidden=512, heads=8)

    @classmethod
    def base(cls) -> Self:
        """110 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import BertConfig

        return BertConfig(**self.sizes(tokenizer))
