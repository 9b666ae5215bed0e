"""The Transformer of 2017, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.seq2seq import Seq2Seq
from smolrecipes.architectures.special import ends, special

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class Transformer(Seq2Seq, name="transformer"):
    """The first of them: post-norm blocks, sinusoidal positions (arXiv:1706.03762), as Marian."""

    specials = "marian"
    activation: Literal["relu", "gelu"] = "relu"
    """In the feed-forward layer."""

    @classmethod
    def base(cls) -> Self:
        """The paper's, of 65 million parameters."""
        return cls(layers=6, hidden=512, heads=8)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import MarianConfig

        found = special(tokenizer, self)
        return MarianConfig(
            vocab_size=len(tokenizer),
            decoder_vocab_size=len(tokenizer),
            **self.both(),
            activation_function=self.activation,
            scale_embedding=True,
            decoder_start_token_id=found["pad"],
            forced_eos_token_id=found["eos"],
            **ends(found),
        )

    def parameters(self, vocabulary: int) -> int:
        tables = vocabulary + 2 * self.max_length
        return tables * self.hidden + self.blocks()
