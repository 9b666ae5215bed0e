"""BERT and the encoders of its shape, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.architectures.count import block, prediction
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.sizes import OFFSET
from smolrecipes.architectures.special import ends, special
from smolrecipes.limits import Ge, Lt

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from typing_extensions import Self


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
            for name, weight in model.named_parameters():
                weight.requires_grad_("position_embeddings" not in name)
        return model

    def parameters(self, vocabulary: int) -> int:
        rows = vocabulary + self.max_length + 2 + 2  # words, positions, two segments, a LayerNorm
        body = rows * self.hidden + self.layers * block(self.hidden, self.width)
        return body + prediction(self.hidden, self.hidden, vocabulary, self.tied)


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
