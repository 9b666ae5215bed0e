"""Texts that belong together, since each is nearly the same as the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from smolrecipes.near.alike import clusters, meeting
from smolrecipes.near.bands import bands
from smolrecipes.near.sets import Rows, Sets, distinct
from smolrecipes.near.shingles import batches, shingles


def families(texts: Callable[[], Iterable[str]], threshold: float, words: int) -> Rows:
    """Of each text, the first that it belongs to; `texts` is asked twice, so that no more than what may be alike is held."""
    every = np.concatenate([bands(*shingles(batch, words), threshold) for batch in [[], *batches(texts())]])
    (met,) = np.nonzero(meeting([every]))
    asked = set(met.tolist())
    some = batches(text for index, text in enumerate(texts()) if index in asked)
    sets = Sets([distinct(*shingles(batch, words)) for batch in [[], *some]])
    found = np.arange(len(every))
    found[met] = met[clusters(every[met], sets, threshold)]
    return found
