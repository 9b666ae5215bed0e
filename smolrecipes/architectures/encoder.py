"""What encoders have in common: BERT's options and special tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.architectures.count import block, prediction
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.sizes import OFFSET
from smolrecipes.architectures.special import ends, fix, special
from smolrecipes.limits import Ge, Lt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Encoder(Scratch):
    """What the encoders after BERT share: learned positions, post-norm blocks with biases, a head for masked words."""

    family = "encoder"
    specials = "bert"
    head = "masked"

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training: of the embeddings, the attention and each residual branch."""
    activation: Literal["gelu", "gelu_tanh", "relu"] = "gelu"
    """In the feed-forward layer."""

    def sizes(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """What their configs have in common."""
        found = special(tokenizer, self)
        return {
            "vocab_size": len(tokenizer),
            "hidden_size": self.hidden,
            "intermediate_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "max_position_embeddings": self.max_length + (found["pad"] + 1 if self.name in OFFSET else 0),
            "hidden_act": {"gelu_tanh": "gelu_pytorch_tanh"}.get(self.activation, self.activation),
            "hidden_dropout_prob": self.dropout,
            "attention_probs_dropout_prob": self.dropout,
            "tie_word_embeddings": self.tied,
            "initializer_range": self.std,
            **ends(found),
        }

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "", labels: int = 0) -> PreTrainedModel:
        model = super().build(tokenizer, head, labels)
        if getattr(self, "positions", "learned") == "sinusoidal":  # transformers fills the table and would train it
            fix(model, "position_embeddings")
        return model

    def parameters(self, vocabulary: int) -> int:
        rows = vocabulary + self.max_length + 2 + 2  # words, positions, two segments, a LayerNorm
        body = rows * self.hidden + self.layers * block(self.hidden, self.width)
        return body + prediction(self.hidden, self.hidden, vocabulary, self.tied)
