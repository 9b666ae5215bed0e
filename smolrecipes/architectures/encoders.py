"""Encoders with something of their own: languages, entities, any order, long texts, today's blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.architectures.bert import Encoder
from smolrecipes.architectures.count import block, linear, prediction
from smolrecipes.architectures.scratch import Scratch, ends, special
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Ge, Lt
from smolrecipes.recipe import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class XLM(Encoder, name="xlm"):
    """The encoder of several languages, each with an embedding of its own (arXiv:1901.07291)."""

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

        found = special(tokenizer, "XLM", "pad", "mask")
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

        found = self.sizes(tokenizer)
        positions = self.max_length + found["pad_token_id"] + 1  # its table begins after the padding token's id
        own = {"entity_vocab_size": self.entities, "entity_emb_size": self.entity_width}
        return LukeConfig(**{**found, "max_position_embeddings": positions}, **own)

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
    head = "permutation"
    lacks = ("sdpa", "gradient checkpointing", "all linear layers", "batches")

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
            **ends(special(tokenizer, "XLNet", "pad")),
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        feed = linear(h, self.width) + linear(self.width, h)
        blocks = self.layers * (5 * h * h + 5 * h + feed + 4 * h)  # five maps, three biases, two segments, two norms
        return vocabulary * h * (1 if self.tied else 2) + h + blocks + vocabulary


class Longformer(Encoder, name="longformer"):
    """RoBERTa that sees a window around each token, and all tokens from chosen ones (arXiv:2004.05150)."""

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

        found: dict[str, Any] = self.sizes(tokenizer)
        separator = special(tokenizer, "Longformer", "sep")["sep"]
        positions = self.max_length + found["pad_token_id"] + 1  # its table begins after the padding token's id
        own = {"attention_window": self.window, "sep_token_id": separator, "type_vocab_size": 1}
        return LongformerConfig(**{**found, "max_position_embeddings": positions}, **own)

    def parameters(self, vocabulary: int) -> int:
        """With the padding token at id 0; each id above makes the table of positions a row longer."""
        return super().parameters(vocabulary) + self.layers * 3 * linear(self.hidden, self.hidden)


class ModernBERT(Encoder, name="modernbert"):
    """BERT with today's blocks: rotary positions, gated units, windows in two blocks of three (arXiv:2412.13663)."""

    rotary = True
    gated = True

    ffn: Positive | None = None
    """Width of the gated feed-forward layer; 8/3 of hidden, rounded up to a multiple of 32, when None."""
    max_length: Positive = 1024
    """Positions the model is declared for."""
    window: Positive = 128
    """Tokens that blocks with a window see, half of them to each side."""
    full_every: Positive = 3
    """The first of every so many blocks sees all tokens."""
    rope_theta: float = 160_000.0
    """Base of the rotary frequencies where all is seen (arXiv:2104.09864); 10,000 in blocks with a window."""

    @classmethod
    def base(cls) -> Self:
        """149 million parameters."""
        return cls(layers=22, hidden=768, heads=12, ffn=1152, max_length=8192)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import ModernBertConfig

        found = special(tokenizer, "ModernBERT", "pad")
        kinds = ("sliding_attention", "full_attention")
        local = {"rope_type": "default", "rope_theta": 10_000.0}
        own = {"embedding_dropout": self.dropout, "mlp_dropout": self.dropout, "attention_dropout": self.dropout}
        given = self.sizes(tokenizer)
        given["hidden_activation"] = given.pop("hidden_act")
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            given.pop(name)
        return ModernBertConfig(
            **given,
            **own,
            cls_token_id=found["cls"],
            sep_token_id=found["sep"],
            local_attention=self.window,
            layer_types=[kinds[block % self.full_every == 0] for block in range(self.layers)],
            rope_parameters=dict(zip(kinds, (local, {**local, "rope_theta": self.rope_theta}))),
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        blocks = self.layers * (4 * h * h + 3 * h * self.width + 2 * h) - h  # the first has no norm before attention
        head = h * h + h + vocabulary + (0 if self.tied else vocabulary * h)
        return vocabulary * h + h + blocks + h + head
