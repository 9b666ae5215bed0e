"""M2M100, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.seq2seq import Seq2Seq
from smolrecipes.architectures.special import ends, special

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


class M2M100(Seq2Seq, name="m2m100"):
    """Translation between any two of many languages: pre-norm blocks, sinusoidal positions (arXiv:2010.11125)."""

    specials = "m2m100"
    activation: Literal["relu", "gelu"] = "relu"
    """In the feed-forward layer."""

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import M2M100Config

        found = special(tokenizer, self)
        return M2M100Config(
            vocab_size=len(tokenizer),
            **self.both(),
            activation_function=self.activation,
            scale_embedding=True,
            decoder_start_token_id=found["eos"],
            **ends(found),
        )

    def parameters(self, vocabulary: int) -> int:
        return (vocabulary + 4) * self.hidden + self.blocks()
