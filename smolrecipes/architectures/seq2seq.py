"""What encoder-decoders have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from smolrecipes.architectures.count import attention, block
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.limits import Ge, Lt, Positive


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
