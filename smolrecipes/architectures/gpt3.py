"""GPT-3's shape, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.architectures.count import block
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ids
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Ge, Lt, Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class GPT3(Scratch, name="gpt3"):
    """Pre-norm decoder whose blocks attend to all and to a window by turns (arXiv:2005.14165), as GPT-Neo."""

    lacks = ("sdpa",)
    step = 2

    max_length: Positive = 2048
    """Positions in the table; nothing longer can be read."""
    window: Positive = 256
    """Tokens that every second block sees."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training."""
    activation: Literal["gelu_tanh", "gelu"] = "gelu_tanh"
    """In the feed-forward layer."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers % 2:
            raise RecipeError(f"GPT3: layers={self.layers}; its blocks come in pairs, so take an even number")

    @classmethod
    def small(cls) -> Self:
        """The paper's smallest, of 125 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import GPTNeoConfig

        return GPTNeoConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.hidden,
            intermediate_size=self.width,
            num_layers=self.layers,
            num_heads=self.heads,
            attention_types=[[["global", "local"], self.layers // 2]],
            window_size=self.window,
            max_position_embeddings=self.max_length,
            activation_function={"gelu_tanh": "gelu_pytorch_tanh", "gelu": "gelu"}[self.activation],
            embed_dropout=self.dropout,
            attention_dropout=self.dropout,
            resid_dropout=self.dropout,
            tie_word_embeddings=self.tied,
            initializer_range=self.std,
            **ids(tokenizer),
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        tables = (vocabulary * (1 if self.tied else 2) + self.max_length) * h
        return tables + self.layers * (block(h, self.width) - 3 * h) + 2 * h
