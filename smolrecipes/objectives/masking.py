"""Which tokens are hidden, and what stands in their place; all of it follows from the random numbers given."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from smolrecipes.objectives.labels import IGNORE

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

Ids = Any
"""(tokens,) int64."""


def some_tokens(ids: Ids, rate: float, rng: Generator, tokenizer: PreTrainedTokenizerBase) -> NDArray[np.int64]:
    """Places of a share `rate` of the ordinary tokens, at least one, in their order."""
    (places,) = np.nonzero(ordinary(tokenizer)[ids])
    count = min(len(places), max(1, round(rate * len(places))))
    return np.sort(rng.choice(places, count, replace=False))


def some_words(
    ids: Ids, begins: Any, rate: float, rng: Generator, tokenizer: PreTrainedTokenizerBase, longest: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of whole words, about a share `rate` of the ordinary tokens, and the stretch that each place belongs to.

    begins: (tokens,), 1 where a word begins. longest: words of a stretch at most; their number is geometric with p = 0.2,
    cut there (SpanBERT, arXiv:1907.10529, section 3.1), and 1 for 1. Stretches do not overlap.
    """
    free = ordinary(tokenizer)[ids]
    words = np.cumsum(np.asarray(begins) != 0)
    names, first = np.unique(words, return_index=True)
    sizes = np.diff([*first, len(ids)])
    open_ = free[first]
    wanted = max(1, round(rate * int(free.sum())))
    stretch, taken = np.full(len(names), -1), 0
    for count, start in enumerate(rng.permutation(np.flatnonzero(open_)).tolist()):
        if taken >= wanted:
            break
        length = min(longest, int(rng.geometric(0.2))) if longest > 1 else 1
        for word in range(start, min(start + length, len(names))):
            if not open_[word] or stretch[word] >= 0 or taken >= wanted:
                break
            stretch[word], taken = count, taken + int(sizes[word])
    places = np.flatnonzero(np.repeat(stretch >= 0, sizes) & free)
    return places, np.repeat(stretch, sizes)[places]


def hide(
    ids: Ids,
    chosen: NDArray[np.int64],
    rng: Generator,
    tokenizer: PreTrainedTokenizerBase,
    masked: float = 0.8,
    random: float = 0.1,
    together: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ids with the `chosen` places masked, replaced by random tokens or left, and labels that say what was there.

    together: a number for each chosen place; those of one number fare alike, as SpanBERT has it.
    """
    seen, labels = np.array(ids), np.full(len(ids), IGNORE)
    labels[chosen] = seen[chosen]
    fate = rng.random(len(chosen))
    if together is not None and len(together):
        fate = rng.random(int(together.max()) + 1)[together]
    seen[chosen[fate < masked]] = tokenizer.mask_token_id
    replaced = chosen[(fate >= masked) & (fate < masked + random)]
    seen[replaced] = rng.choice(np.flatnonzero(ordinary(tokenizer)), len(replaced))
    return seen, labels


@lru_cache(maxsize=8)
def ordinary(tokenizer: PreTrainedTokenizerBase) -> NDArray[np.bool_]:
    """(vocabulary,): which tokens are text; the others are control tokens, which nothing hides and nothing draws."""
    found = np.ones(len(tokenizer), dtype=bool)
    found[[*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder]] = False
    return found
