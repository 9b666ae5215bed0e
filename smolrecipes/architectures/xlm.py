"""XLM, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.count import block
from smolrecipes.architectures.encoder import Encoder
from smolrecipes.architectures.special import ends, special
from smolrecipes.component import option
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


class XLM(Encoder, name="xlm"):
    """The encoder of several languages, each with an embedding of its own (arXiv:1901.07291)."""

    specials = "xlm"
    lacks = ("sdpa", "gradient checkpointing")

    ffn: None = None
    """4 times hidden, always."""
    activation: Literal["gelu", "relu"] = "gelu"
    """In the feed-forward layer."""
    positions: Literal["learned", "sinusoidal"] = "learned"
    """A table that is trained, or one of sines that is not (arXiv:1706.03762)."""
    languages: Positive = 2
    """Languages, each with an embedding that is added to its words; batches name them in `langs`."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import XLMConfig

        found = special(tokenizer, self)
        unknown = getattr(tokenizer, "unk_token_id", None)
        return XLMConfig(
            vocab_size=len(tokenizer),
            emb_dim=self.hidden,
            n_layers=self.layers,
            n_heads=self.heads,
            max_position_embeddings=self.max_length,
            sinusoidal_embeddings=self.positions == "sinusoidal",
            gelu_activation=self.activation == "gelu",
            n_langs=self.languages,
            use_lang_emb=self.languages > 1,
            dropout=self.dropout,
            attention_dropout=self.dropout,
            embed_init_std=self.std,
            init_std=self.std,
            mask_index=found["mask"],
            mask_token_id=found["mask"],
            unk_index=found["pad"] if unknown is None else unknown,
            tie_word_embeddings=self.tied,
            **ends(found),
        )

    def parameters(self, vocabulary: int) -> int:
        languages = self.languages if self.languages > 1 else 0
        tables = (vocabulary * (1 if self.tied else 2) + self.max_length + languages + 2) * self.hidden
        return tables + self.layers * block(self.hidden, self.width) + vocabulary
