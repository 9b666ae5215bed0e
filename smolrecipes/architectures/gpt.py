"""The first GPT, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.architectures.count import block
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ids
from smolrecipes.component import option
from smolrecipes.limits import Ge, Lt

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class GPT(Scratch, name="gpt"):
    """Post-norm decoder with learned positions (Radford et al. 2018)."""

    lacks = ("sdpa", "gradient checkpointing")

    ffn: None = None
    """4 times hidden, always."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training."""
    activation: Literal["gelu", "relu", "silu"] = "gelu"
    """In the feed-forward layer; gelu is its tanh approximation."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    @classmethod
    def original(cls) -> Self:
        """The paper's, of 117 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import OpenAIGPTConfig

        return OpenAIGPTConfig(
            vocab_size=len(tokenizer),
            n_embd=self.hidden,
            n_layer=self.layers,
            n_head=self.heads,
            n_positions=self.max_length,
            afn={"silu": "swish"}.get(self.activation, self.activation),
            embd_pdrop=self.dropout,
            attn_pdrop=self.dropout,
            resid_pdrop=self.dropout,
            tie_word_embeddings=self.tied,
            initializer_range=self.std,
            **ids(tokenizer),
        )

    def parameters(self, vocabulary: int) -> int:
        tables = (vocabulary * (1 if self.tied else 2) + self.max_length) * self.hidden
        return tables + self.layers * block(self.hidden, self.width)
