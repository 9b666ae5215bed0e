"""RoBERTa, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.encoder import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class RoBERTa(Encoder, name="roberta"):
    """BERT without sentence pairs, on more text and with masks drawn anew (arXiv:1907.11692)."""

    specials = "roberta"
    exact = True

    @classmethod
    def base(cls) -> Self:
        """125 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import RobertaConfig

        return RobertaConfig(**self.sizes(tokenizer), type_vocab_size=1)
