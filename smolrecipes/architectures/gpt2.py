"""GPT-2: the decoder with learned positions, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ids
from smolrecipes.limits import Ge, Gt, Lt, Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class GPT2(Scratch, name="gpt2"):
    """Pre-norm decoder with learned positions, LayerNorm, GELU and biases (Radford et al. 2019)."""

    exact = True

    max_length: Positive = 1024
    """Positions in the table; nothing longer can be read."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training: of the embeddings, the attention and each residual branch."""
    activation: Literal["gelu_tanh", "gelu"] = "gelu_tanh"
    """GPT-2's own approximation of GELU, or GELU itself (arXiv:1606.08415), which a CPU computes in half the time."""
    init_std: Annotated[float, Gt(0)] | None = None
    """Standard deviation of the first weights, divided by sqrt(2 layers) for projections into the residual stream.
    sqrt(2 / (5 hidden)) when None, which at GPT-2's own 768 is its 0.02: narrow models learn far more slowly from that."""

    @classmethod
    def small(cls) -> Self:
        """GPT-2 of 124 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    @classmethod
    def medium(cls) -> Self:
        """GPT-2 of 355 million parameters."""
        return cls(layers=24, hidden=1024, heads=16)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import GPT2Config

        return GPT2Config(
            vocab_size=len(tokenizer),
            n_embd=self.hidden,
            n_inner=self.width,
            n_layer=self.layers,
            n_head=self.heads,
            n_positions=self.max_length,
            activation_function={"gelu_tanh": "gelu_pytorch_tanh", "gelu": "gelu"}[self.activation],
            embd_pdrop=self.dropout,
            attn_pdrop=self.dropout,
            resid_pdrop=self.dropout,
            tie_word_embeddings=self.tied,
            initializer_range=self.std,
            **ids(tokenizer),
        )

    def parameters(self, vocabulary: int) -> int:
        from smolrecipes.architectures.count import block

        tables = (vocabulary * (1 if self.tied else 2) + self.max_length) * self.hidden
        return tables + self.layers * block(self.hidden, self.width) + 2 * self.hidden
