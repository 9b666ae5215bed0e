"""Texts as token ids, many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedTokenizerBase

SOME = 250
"""Texts encoded by one call: enough for all cores, and few enough that their encodings do not fill the memory."""


def encode_many(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, end: int | None = None) -> list[Any]:
    """The ids of each text, as `tokenizer(text, add_special_tokens=False)` gives them, and `end`; int32, on all cores.

    Control tokens that a text spells are read as such, unlike those of a message: corpora may be written with them.
    """
    last = [] if end is None else [end]
    if not _is_rust(tokenizer):
        ids = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [np.array([*each, *last], np.int32) for each in ids]
    return _encoded(texts, tokenizer, "encode_batch_fast", lambda encoding: np.array([*encoding.ids, *last], np.int32))


def encode_words(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, end: int | None = None) -> list[Any]:
    """As `encode_many`, with a second array for each text, int8: 1 where a token begins a word.

    Words are those of the tokenizer's own splitting, so that a token that goes on is told for every kind of tokenizer.
    """
    if not _is_rust(tokenizer):
        raise RecipeError(f"tokenizer: {type(tokenizer).__name__} does not tell where words begin; hide single tokens")
    last = [] if end is None else [end]

    def both(encoding: Any) -> tuple[Any, Any]:
        words = np.array([-1 if word is None else word for word in encoding.word_ids], np.int64)
        begins = np.diff(words, prepend=-2) != 0
        return np.array([*encoding.ids, *last], np.int32), np.array([*begins, *(1 for _ in last)], np.int8)

    return _encoded(texts, tokenizer, "encode_batch", both)  # the fast one does not tell words


def _is_rust(tokenizer: PreTrainedTokenizerBase) -> bool:
    from transformers import PreTrainedTokenizerFast

    return getattr(type(tokenizer), "_encode_plus", None) is PreTrainedTokenizerFast._encode_plus


def _encoded(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, how: str, read: Callable[[Any], Any]
) -> list[Any]:
    """What `read` makes of each text's encoding."""
    encode = getattr(plain(tokenizer), how)

    def some(start: int) -> list[Any]:
        found = encode(texts[start : start + SOME], add_special_tokens=False)
        return [read(encoding) for encoding in found]

    with ThreadPoolExecutor(3) as pool:  # Python reads out the ids of some while others are encoded
        return [one for found in pool.map(some, range(0, len(texts), SOME)) for one in found]


@lru_cache(maxsize=8)
def around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """The control tokens that the model expects before a text and after it, as in `[CLS] ... [SEP]`."""
    inner = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    start = next(at for at in range(len(whole)) if whole[at : at + len(inner)] == inner)
    return whole[:start], whole[start + len(inner) :]


def wrapped(ids: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """A text's ids with the control tokens around them, (tokens,) int64."""
    before, after = around(tokenizer)
    return np.concatenate([before, ids, after]).astype(np.int64)


def types_around(size: int, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The token types of a text of `size` tokens, those around it included, (size,) int64; zeros where there are none."""
    found = np.zeros(size, np.int64)
    given, (_, after) = tokenizer("a").get("token_type_ids"), around(tokenizer)
    if given and after:
        found[-len(after) :] = given[-len(after) :]
    return found


def plain(tokenizer: PreTrainedTokenizerBase) -> Any:
    """The tokenizer's Rust side, set to cut and to pad nothing, as each plain call sets it."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    return backend
