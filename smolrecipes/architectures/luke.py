"""LUKE: words and entities, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolrecipes.architectures.count import block, linear, prediction
from smolrecipes.architectures.encoder import Encoder
from smolrecipes.component import option
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


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
