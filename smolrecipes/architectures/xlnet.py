"""XLNet, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.architectures.count import linear
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ends, special
from smolrecipes.component import option
from smolrecipes.limits import Ge, Lt

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


class XLNet(Scratch, name="xlnet"):
    """The encoder that predicts words in any order, by distances and two streams of attention (arXiv:1906.08237)."""

    family = "encoder"
    specials = "xlnet"
    head = "permutation"
    lacks = ("sdpa", "gradient checkpointing", "all linear layers")

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training."""
    activation: Literal["gelu", "relu"] = "gelu"
    """In the feed-forward layer."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import XLNetConfig

        return XLNetConfig(
            vocab_size=len(tokenizer),
            d_model=self.hidden,
            n_layer=self.layers,
            n_head=self.heads,
            d_inner=self.width,
            ff_activation=self.activation,
            dropout=self.dropout,
            summary_last_dropout=self.dropout,
            mem_len=None,
            initializer_range=self.std,
            tie_word_embeddings=self.tied,
            n_positions=self.max_length,  # no table: how long the texts are that it was trained on
            **ends(special(tokenizer, self)),
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        feed = linear(h, self.width) + linear(self.width, h)
        blocks = self.layers * (5 * h * h + 5 * h + feed + 4 * h)  # five maps, three biases, two segments, two norms
        return vocabulary * h * (1 if self.tied else 2) + h + blocks + vocabulary
