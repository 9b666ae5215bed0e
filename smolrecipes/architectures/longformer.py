"""Longformer, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.count import linear
from smolrecipes.architectures.encoder import Encoder
from smolrecipes.architectures.special import special
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


class Longformer(Encoder, name="longformer"):
    """RoBERTa that sees a window around each token, and all tokens from chosen ones (arXiv:2004.05150)."""

    specials = "roberta"
    lacks = ("sdpa",)

    max_length: Positive = 1024
    """Tokens it reads at most."""
    window: Positive = 64
    """Tokens that a token sees, half of them to each side; even."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window % 2:
            raise RecipeError(f"Longformer: window={self.window}; half of it lies to each side, so take an even number")

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import LongformerConfig

        own = {"attention_window": self.window, "sep_token_id": special(tokenizer, self)["sep"], "type_vocab_size": 1}
        return LongformerConfig(**self.sizes(tokenizer), **own)

    def parameters(self, vocabulary: int) -> int:
        """With the padding token at id 0; each id above makes the table of positions a row longer."""
        return super().parameters(vocabulary) + self.layers * 3 * linear(self.hidden, self.hidden)
