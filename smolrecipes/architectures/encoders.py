"""Encoders of more than words hidden in one text: languages, entities, any order; from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.architectures.bert import Encoder
from smolrecipes.architectures.count import block, linear, prediction
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ends, special
from smolrecipes.component import option
from smolrecipes.limits import Ge, Lt, Positive

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


class LUKE(Encoder, name="luke"):
    """RoBERTa that reads entities beside words, with queries of their own between them (arXiv:2010.01057)."""

    specials = "roberta"
    head = "entities"
    lacks = ("sdpa",)

    entities: Positive = 1000
    """Entries of the vocabulary of entities: the first are padding, unknown and mask."""
    entity_size: Positive | None = None
    """Width of the table of entities; 256, or hidden where that is less, when None."""
    tied: bool = True
    """Share the table of entities with their prediction; transformers has a table apart for the prediction of words."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    @property
    def shares(self) -> bool:
        return False

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import LukeConfig

        own = {"entity_vocab_size": self.entities, "entity_emb_size": self.entity_width}
        return LukeConfig(**self.sizes(tokenizer), **own)

    @property
    def entity_width(self) -> int:
        """Of the table of entities."""
        return self.entity_size or min(256, self.hidden)

    def parameters(self, vocabulary: int) -> int:
        """With the padding token at id 0; each id above makes the tables of positions a row longer."""
        h, table = self.hidden, self.entity_width
        queries = self.layers * 3 * linear(h, h)
        wider = h * table if table != h else 0
        tables = (vocabulary + 2 * (self.max_length + 1) + 8) * h + self.entities * table * (1 if self.tied else 2)
        words = prediction(h, h, vocabulary, tied=False) - (vocabulary if self.tied else 0)
        heads = linear(h, h) + words + linear(h, table) + 2 * table + self.entities
        return tables + wider + queries + self.layers * block(h, self.width) + heads


class XLNet(Scratch, name="xlnet"):
    """The encoder that predicts words in any order, by distances and two streams of attention (arXiv:1906.08237)."""

    family = "encoder"
    specials = "xlnet"
    head = "permutation"
    lacks = ("sdpa", "gradient checkpointing", "all linear layers")

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of activations dropped in training."""
    activation: Literal["gelu", "relu"] = "gelu"
    """In the feed-forward layer."""
    attention: Literal["eager"] = option(default="eager", affects_weights=False)
    """transformers has no other implementation for it."""

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import XLNetConfig

        return XLNetConfig(
            vocab_size=len(tokenizer),
            d_model=self.hidden,
            n_layer=self.layers,
            n_head=self.heads,
            d_inner=self.width,
            ff_activation=self.activation,
            dropout=self.dropout,
            summary_last_dropout=self.dropout,
            mem_len=None,
            initializer_range=self.std,
            tie_word_embeddings=self.tied,
            n_positions=self.max_length,  # no table: how long the texts are that it was trained on
            **ends(special(tokenizer, self)),
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        feed = linear(h, self.width) + linear(self.width, h)
        blocks = self.layers * (5 * h * h + 5 * h + feed + 4 * h)  # five maps, three biases, two segments, two norms
        return vocabulary * h * (1 if self.tied else 2) + h + blocks + vocabulary
