"""Byte-level BPE, trained from any data: every text round-trips exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data, Tokenizer
from smolrecipes.limits import Ge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

EOS, PAD, TURN_START, TURN_END = "<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"
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
        from transformers import PreTrainedTokenizerFast

        rows = self.data.load() if self.data else rows
        if rows is None:
            raise RecipeError("ByteBPE: there are no rows to learn from; give it data, as in ByteBPE(Files('a.txt'))")
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(sample(rows, self.max_megabytes * 1_000_000), trainer)
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            eos_token=EOS,
            pad_token=PAD,
            extra_special_tokens=[TURN_START, TURN_END],
            clean_up_tokenization_spaces=False,
        )
        if self.chat_template != "none":
            tokenizer.chat_template = template(self.chat_template)
        return tokenizer


def template(name: str) -> str:
    """The text of a chat template that ships, by name."""
    return (Path(__file__).parent / f"{name}.jinja").read_text(encoding="utf-8").strip()


def sample(rows: Dataset, limit: int) -> Iterator[str]:
    """Strings of about `limit` bytes in all, evenly spread over the rows."""
    from smolrecipes.data.rows import texts

    size = max(1, rows.data.nbytes)
    step = max(1, round(size / limit))
    for index in range(0, len(rows), step):
        yield from texts(rows[index])
