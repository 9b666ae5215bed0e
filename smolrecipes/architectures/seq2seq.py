"""Encoder-decoders, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.architectures.count import attention, block
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ends, special
from smolrecipes.limits import Ge, Lt, Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class Seq2Seq(Scratch):
    """What encoder-decoders share: two depths, and a token that the decoder starts with."""

    family = "encoder-decoder"
    head = "seq2seq"

    tied: Literal[True] = True
    """Encoder, decoder and output head share their table; transformers would untie all of them or ignore it."""
    decoder_layers: Positive | None = None
    """Blocks of the decoder; as many as `layers`, which are the encoder's, when None."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training."""

    @property
    def depths(self) -> tuple[int, int]:
        return self.layers, self.decoder_layers or self.layers

    def both(self) -> dict[str, Any]:
        """The sizes of encoder and decoder as BART's kin call them."""
        encoder, decoder = self.depths
        sizes = {"layers": 0, "ffn_dim": self.width, "attention_heads": self.heads, "layerdrop": 0.0}
        sides = {"encoder": {**sizes, "layers": encoder}, "decoder": {**sizes, "layers": decoder}}
        named = {f"{side}_{name}": value for side, of in sides.items() for name, value in of.items()}
        rates = dict.fromkeys(("dropout", "attention_dropout"), self.dropout)
        own = {"d_model": self.hidden, "max_position_embeddings": self.max_length, "init_std": self.std}
        return {**named, **rates, **own, "tie_word_embeddings": self.tied}

    def blocks(self) -> int:
        """Weights of all blocks; those of the decoder also attend to the encoder."""
        encoder, decoder = self.depths
        own = block(self.hidden, self.width)
        return encoder * own + decoder * (own + attention(self.hidden) + 2 * self.hidden)


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
