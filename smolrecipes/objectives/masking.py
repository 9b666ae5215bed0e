"""Which tokens are hidden, and what stands in their place; all of it follows from the random numbers given."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from smolrecipes.objectives.losses import IGNORE

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


def hide(
    ids: Ids,
    chosen: NDArray[np.int64],
    rng: Generator,
    tokenizer: PreTrainedTokenizerBase,
    masked: float = 0.8,
    random: float = 0.1,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ids with the `chosen` places masked, replaced by random tokens or left, and labels that say what was there."""
    seen, labels = np.array(ids), np.full(len(ids), IGNORE)
    labels[chosen] = seen[chosen]
    fate = rng.random(len(chosen))
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
