"""DeBERTa, both versions, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.count import block, prediction
from smolrecipes.architectures.encoder import Encoder
from smolrecipes.component import option
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class DeBERTa(Encoder, name="deberta"):
    """Attention on words and on distances apart: no position is added to a word (arXiv:2006.03654)."""

    lacks = ("sdpa",)

    distances: Positive | None = None
    """How far apart two tokens are told from further ones; max_length when None."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    @classmethod
    def base(cls) -> Self:
        """139 million parameters."""
        return cls(layers=12, hidden=768, heads=12)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import DebertaConfig

        return DebertaConfig(
            **self.sizes(tokenizer),
            relative_attention=True,
            max_relative_positions=self.distances or self.max_length,
            position_biased_input=False,
            pos_att_type=["c2p", "p2c"],
            type_vocab_size=0,
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        distances = 2 * (self.distances or self.max_length) * h
        blocks = self.layers * (block(h, self.width) - h + 2 * h * h + h)  # no bias on keys; two maps of distances
        return (vocabulary + 2) * h + distances + blocks + prediction(h, h, vocabulary, self.tied)


class DeBERTaV3(Encoder, name="deberta-v3"):
    """DeBERTa with distances in buckets, whose maps are those of the words (arXiv:2111.09543)."""

    lacks = ("sdpa",)

    buckets: Positive = 64
    """Distances that are told apart, finer near by, to each side; 256 in the paper."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    @classmethod
    def xsmall(cls) -> Self:
        """22 million parameters beside the table of embeddings."""
        return cls(layers=12, hidden=384, heads=6, buckets=256)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import DebertaV2Config

        return DebertaV2Config(
            **self.sizes(tokenizer),
            relative_attention=True,
            max_relative_positions=self.max_length,
            position_buckets=self.buckets,
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
            pos_att_type=["p2c", "c2p"],
            type_vocab_size=0,
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        tables = (vocabulary + 2 + 2 * self.buckets + 2) * h
        return tables + self.layers * block(h, self.width) + prediction(h, h, vocabulary, self.tied)
