"""GPT-2: the decoder with learned positions, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture
from smolrecipes.limits import Ge, Gt, Lt
from smolrecipes.recipe import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class GPT2(Architecture, name="gpt2"):
    """Pre-norm decoder with learned positions, LayerNorm, GELU and biases (Radford et al. 2019)."""

    layers: Positive = 4
    """Transformer blocks."""
    hidden: Positive = 192
    """Width of the residual stream; a multiple of `heads`."""
    heads: Positive = 6
    """Attention heads."""
    ffn: Positive | None = None
    """Width of the feed-forward layer; 4 times hidden when None."""
    max_length: Positive = 1024
    """Positions in the table; nothing longer can be read."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training: of the embeddings, the attention and each residual branch."""
    activation: Literal["gelu_tanh", "gelu"] = "gelu_tanh"
    """GPT-2's own approximation of GELU, or GELU itself (arXiv:1606.08415), which a CPU computes in half the time."""
    tied: bool = True
    """Share the embedding with the output head."""
    init_std: Annotated[float, Gt(0)] | None = None
    """Standard deviation of the first weights, divided by sqrt(2 layers) for projections into the residual stream.
    sqrt(2 / (5 hidden)) when None, which at GPT-2's own 768 is its 0.02: narrow models learn far more slowly from that."""
    attention: str = option(default="sdpa", affects_weights=False)
    """transformers' attention implementation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden % self.heads:
            raise RecipeError(
                f"GPT2: hidden={self.hidden} over heads={self.heads} is {self.hidden / self.heads:g} per head; "
                "it must be whole: change one of them"
            )

    def packs(self, model: PreTrainedModel) -> bool:
        return self.attention == "sdpa"

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> PreTrainedModel:
        """A new model; vocabulary and special ids are the tokenizer's, weights follow torch's current seed."""
        from transformers import GPT2Config

        from smolrecipes.architectures.heads import check_sizes, with_head

        model = with_head(
            GPT2Config(
                vocab_size=len(tokenizer),
                n_embd=self.hidden,
                n_inner=self.ffn or 4 * self.hidden,
                n_layer=self.layers,
                n_head=self.heads,
                n_positions=self.max_length,
                activation_function={"gelu_tanh": "gelu_pytorch_tanh", "gelu": "gelu"}[self.activation],
                embd_pdrop=self.dropout,
                attn_pdrop=self.dropout,
                resid_pdrop=self.dropout,
                tie_word_embeddings=self.tied,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                initializer_range=self.init_std or (2 / (5 * self.hidden)) ** 0.5,
                attn_implementation=self.attention,
            ),
            head,
            labels,
        )
        return check_sizes(model, "GPT2", layers=self.layers, hidden=self.hidden, vocabulary=len(tokenizer))
