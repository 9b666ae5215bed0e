"""One decoder with its positions as a choice, to compare them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.architectures.count import block
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import fix, ids
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Ge, Lt

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


class Decoder(Scratch, name="decoder"):
    """GPT-2's blocks with any positions. transformers has them as GPT-2, GPT-NeoX and BLOOM, which reload as such.

    What else differs: alibi's BLOOM has one LayerNorm more, after the embeddings. A table of sines or of zeros is GPT-2's
    own, kept from training; continue such a model with another objective and the table is trained.
    """

    exact = True

    positions: Literal["learned", "sinusoidal", "rotary", "alibi", "none"] = "learned"
    """A table; one of sines (arXiv:1706.03762); turned queries and keys (arXiv:2104.09864); scores that fall with the
    distance (arXiv:2108.12409), for which ffn is 4 times hidden; or none (arXiv:2305.19466)."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training."""
    attention: Literal["auto", "sdpa", "eager"] = option(  # type: ignore[assignment]  # auto is its own
        default="auto", affects_weights=False
    )
    """transformers' attention implementation; auto is sdpa, but eager for alibi, which has no other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.positions == "rotary" and self.hidden // self.heads % 2:
            raise RecipeError(f"Decoder: rotary positions need heads of an even size, not {self.hidden // self.heads}")
        if self.positions == "alibi" and self.attention == "sdpa":
            raise RecipeError("Decoder: transformers computes alibi without sdpa; leave out attention=sdpa")
        if self.positions == "alibi" and self.ffn not in (None, 4 * self.hidden):
            raise RecipeError(f"Decoder: with alibi the feed-forward layer is 4 times hidden; leave out ffn={self.ffn}")

    @property
    def computed_by(self) -> str:
        chosen = "eager" if self.positions == "alibi" else "sdpa"
        return chosen if self.attention == "auto" else self.attention

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        make = {"rotary": self._rotary, "alibi": self._alibi}.get(self.positions, self._table)
        start = {"tie_word_embeddings": self.tied, "initializer_range": self.std}
        return make({"vocab_size": len(tokenizer), **ids(tokenizer), **start})

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "", labels: int = 0) -> PreTrainedModel:
        import torch

        model = super().build(tokenizer, head, labels)
        with torch.no_grad():
            if self.positions in ("sinusoidal", "none"):
                fix(model, "wpe")
                table = model.base_model.wpe.weight
                # as large as the embeddings that they are added to
                table.copy_(sines(*table.shape) * self.std if self.positions == "sinusoidal" else torch.zeros(()))
            if self.positions == "alibi":  # its embeddings enter as small as the others', not at a deviation of 1
                model.base_model.word_embeddings_layernorm.weight.fill_(self.std)
            for name, weight in model.named_parameters():
                if name.endswith(("dense.weight", "dense_4h_to_h.weight")):
                    weight /= math.sqrt(2 * self.layers)  # as GPT-2 starts, which all of them should
        return model

    def parameters(self, vocabulary: int) -> int:
        h, table = self.hidden, self.max_length if self.positions in ("learned", "sinusoidal", "none") else 0
        norms = 4 * h if self.positions == "alibi" else 2 * h
        return (vocabulary * (1 if self.tied else 2) + table) * h + self.layers * block(h, self.width) + norms

    def _table(self, given: dict[str, Any]) -> PreTrainedConfig:
        from transformers import GPT2Config

        rates = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), self.dropout)
        sizes = {"n_embd": self.hidden, "n_inner": self.width, "n_layer": self.layers, "n_head": self.heads}
        own = {"n_positions": self.max_length, "activation_function": "gelu_pytorch_tanh"}
        return GPT2Config(**given, **sizes, **rates, **own)

    def _rotary(self, given: dict[str, Any]) -> PreTrainedConfig:
        from transformers import GPTNeoXConfig

        return GPTNeoXConfig(
            **given,
            hidden_size=self.hidden,
            intermediate_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            max_position_embeddings=self.max_length,
            hidden_act="gelu_pytorch_tanh",
            use_parallel_residual=False,
            rope_parameters={"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 1.0},
            attention_dropout=self.dropout,
            hidden_dropout=self.dropout,
        )

    def _alibi(self, given: dict[str, Any]) -> PreTrainedConfig:
        from transformers import BloomConfig

        rates = {"attention_dropout": self.dropout, "hidden_dropout": self.dropout}
        sizes = {"hidden_size": self.hidden, "n_layer": self.layers, "n_head": self.heads}
        return BloomConfig(**given, **sizes, **rates, n_positions=self.max_length)


def sines(rows: int, width: int) -> Tensor:
    """(rows, width): sines of each position and their cosines, at frequencies from 1 to 1/10,000."""
    import torch

    angles = torch.arange(rows)[:, None] / 10_000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]
