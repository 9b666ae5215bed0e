"""Texts as token ids, many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

SOME = 250
"""Texts encoded by one call: enough for all cores, and few enough that their encodings do not fill the memory."""


def encode_many(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, end: int | None = None) -> list[Any]:
    """The ids of each text, as `tokenizer(text, add_special_tokens=False)` gives them, and `end`; int32, on all cores."""
    last = [] if end is None else [end]
    from transformers import PreTrainedTokenizerFast

    if getattr(type(tokenizer), "_encode_plus", None) is not PreTrainedTokenizerFast._encode_plus:
        ids = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [np.array([*each, *last], np.int32) for each in ids]
    backend: Any = plain(tokenizer)

    def some(start: int) -> list[Any]:
        found = backend.encode_batch_fast(texts[start : start + SOME], add_special_tokens=False)
        return [np.array([*encoding.ids, *last], np.int32) for encoding in found]

    with ThreadPoolExecutor(3) as pool:  # Python reads out the ids of some while others are encoded
        return [ids for found in pool.map(some, range(0, len(texts), SOME)) for ids in found]


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
    given, (before, after) = tokenizer("a").get("token_type_ids"), around(tokenizer)
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
