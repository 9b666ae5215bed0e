"""What the tokenizers that learn from text share: the text, the control tokens, the wrapping."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Data

EOS, PAD, UNK, TURN_START, TURN_END = "<|endoftext|>", "<|pad|>", "<|unk|>", "<|im_start|>", "<|im_end|>"


def wrapped(backend: Any, **options: Any) -> PreTrainedTokenizerBase:
    """A trained `tokenizers.Tokenizer` as transformers' class, which AutoTokenizer reloads identically."""
    from transformers import PreTrainedTokenizerFast

    made: PreTrainedTokenizerBase = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=EOS, pad_token=PAD, clean_up_tokenization_spaces=False, **options
    )
    return made


def template(name: str) -> str:
    """The text of a chat template that ships, by name."""
    return (Path(__file__).parent / f"{name}.jinja").read_text(encoding="utf-8").strip()


def learning_text(data: Data | None, rows: Dataset | None, megabytes: int, who: str) -> Iterator[str]:
    """About so much text of `data`, or else of `rows`; RecipeError when there is neither."""
    found = data.load() if data else rows
    if found is None:
        raise RecipeError(f"{who}: there are no rows to learn from; give it data, as in {who}(Files('a.txt'))")
    return sample(found, megabytes * 1_000_000)


def sample(rows: Dataset, limit: int) -> Iterator[str]:
    """Strings of about `limit` bytes in all, evenly spread over the rows."""
    from smolrecipes.data.rows import texts

    size = max(1, rows.data.nbytes)
    step = max(1, round(size / limit))
    for index in range(0, len(rows), step):
        yield from texts(rows[index])
