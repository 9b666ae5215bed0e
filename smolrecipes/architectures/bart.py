"""BART, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.seq2seq import Seq2Seq
from smolrecipes.architectures.special import ends, special

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class BART(Seq2Seq, name="bart"):
    """The encoder-decoder that repairs damaged text: post-norm blocks, learned positions (arXiv:1910.13461)."""

    specials = "bart"
    activation: Literal["gelu", "relu"] = "gelu"
    """In the feed-forward layer."""

    @classmethod
    def base(cls) -> Self:
        """139 million parameters."""
        return cls(layers=6, hidden=768, heads=12, max_length=1024)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import BartConfig

        found = special(tokenizer, self)
        return BartConfig(
            vocab_size=len(tokenizer),
            **self.both(),
            activation_function=self.activation,
            decoder_start_token_id=found["eos"],
            forced_eos_token_id=found["eos"],
            **ends(found),
        )

    def parameters(self, vocabulary: int) -> int:
        rows = vocabulary + 2 * (self.max_length + 2) + 4  # BART's positions begin at 2
        return rows * self.hidden + self.blocks()
