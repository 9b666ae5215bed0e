"""Byte-level BPE, trained from any data: every text round-trips exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Data, Tokenizer
from smolrecipes.limits import Ge
from smolrecipes.tokenizers.learned import EOS, PAD, TURN_END, TURN_START, learning_text, template, wrapped

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SPECIAL = (EOS, PAD, TURN_START, TURN_END)


class ByteBPE(Tokenizer, name="byte_bpe"):
    """Byte-level BPE with GPT-2's splitting pattern (Radford et al. 2019) and the control tokens of ChatML."""

    data: Data | None = option(default=None, kw_only=False)
    """Where it learns its merges; None takes the recipe's own training rows."""
    vocab_size: Annotated[int, Ge(260)] = 8192
    """Tokens, the 256 bytes and 4 control tokens included."""
    chat_template: Literal["chatml", "none"] = "chatml"
    """How messages are written as text."""
    max_megabytes: Annotated[int, Ge(1)] = 100
    """Learn from about this much text, evenly spread over the rows."""

    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """Trained on `data`, or else on `rows`; AutoTokenizer reloads it identically."""
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders, models, pre_tokenizers, trainers

        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(learning_text(self.data, rows, self.max_megabytes, "ByteBPE"), trainer)
        tokenizer = wrapped(backend, extra_special_tokens=[TURN_START, TURN_END])
        if self.chat_template != "none":
            tokenizer.chat_template = template(self.chat_template)
        return tokenizer
