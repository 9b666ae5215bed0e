"""T5, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.seq2seq import Seq2Seq
from smolrecipes.architectures.special import ends, special
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class T5(Seq2Seq, name="t5"):
    """Text to text: pre-norm blocks without biases, distances in buckets (arXiv:1910.10683)."""

    specials = "t5"
    head_size: Positive | None = None
    """Dimensions of a head; hidden / heads when None."""
    activation: Literal["relu", "gated-gelu"] = "relu"
    """In the feed-forward layer; version 1.1 has a gate."""
    buckets: Positive = 32
    """Distances that are told apart, finer near by."""
    init_std: None = None
    """Each matrix starts by its own width, as in the paper's code."""

    @classmethod
    def small(cls) -> Self:
        """60 million parameters, with a vocabulary of 32,128."""
        return cls(layers=6, hidden=512, heads=8, ffn=2048)

    @classmethod
    def base(cls) -> Self:
        """223 million parameters, with a vocabulary of 32,128."""
        return cls(layers=12, hidden=768, heads=12, ffn=3072)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import T5Config

        found = special(tokenizer, self)
        encoder, decoder = self.depths
        return T5Config(
            vocab_size=len(tokenizer),
            d_model=self.hidden,
            d_kv=self.size,
            d_ff=self.width,
            num_layers=encoder,
            num_decoder_layers=decoder,
            num_heads=self.heads,
            relative_attention_num_buckets=self.buckets,
            dropout_rate=self.dropout,
            feed_forward_proj=self.activation,
            tie_word_embeddings=self.tied,
            max_position_embeddings=self.max_length,  # no table: how long the texts are that it was trained on
            decoder_start_token_id=found["pad"],
            **ends(found),
        )

    @property
    def size(self) -> int:
        """Of a head."""
        return self.head_size or self.hidden // self.heads

    def parameters(self, vocabulary: int) -> int:
        h, (encoder, decoder) = self.hidden, self.depths
        attends = 4 * h * self.heads * self.size + h
        feed = (3 if self.activation == "gated-gelu" else 2) * h * self.width + h
        blocks = encoder * (attends + feed) + decoder * (2 * attends + feed)
        return vocabulary * h + blocks + 2 * (h + self.buckets * self.heads)
