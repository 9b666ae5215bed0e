"""Byte-level BPE, trained from any data: every text round-trips exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from smolrecipes.component import option
from smolrecipes.kinds import Data
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import learning_text
from smolrecipes.tokenizers.scratch import FromScratch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class ByteBPE(FromScratch, name="byte_bpe"):
    """Byte-level BPE with GPT-2's splitting pattern (Radford et al. 2019): every text comes back exactly."""

    data: Data | None = option(default=None, kw_only=False)
    """Where it learns its merges; None takes the recipe's own training rows."""
    vocab_size: Annotated[int, Ge(260)] = 8192
    """Tokens, the 256 bytes and the control tokens included."""
    max_megabytes: Annotated[int, Ge(1)] = 100
    """Learn from about this much text, evenly spread over the rows."""
    knows_all: ClassVar[bool] = True

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """Trained on `data`, or else on `rows`; AutoTokenizer reloads it identically."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models, pre_tokenizers, trainers

        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.room(self.vocab_size, 256),
            special_tokens=self.control(),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(learning_text(self.data, rows, self.max_megabytes, "ByteBPE"), trainer)
        return self.wrapped(backend)
