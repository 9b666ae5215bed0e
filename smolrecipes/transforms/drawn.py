"""An order of rows that is drawn: it follows from the seed and what the rows hold, not from shards or processes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[Any]


def contents(rows: Iterable[dict[str, Any]]) -> Hashes:
    """A hash of all that each row holds, wherever it came from."""
    import numpy as np

    return np.fromiter(map(_content, rows), dtype=np.uint64)


def drawn(hashes: Hashes, seed: int) -> NDArray[Any]:
    """The rows in an order drawn by their hashes; of rows that hold the same, each is drawn by itself."""
    import numpy as np

    order = np.argsort(hashes, kind="stable")
    place = np.arange(len(order))
    begins = np.append(True, np.diff(hashes[order]) != 0)[: len(order)]
    times = np.empty(len(order), dtype=np.uint64)
    times[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return np.argsort(_stirred(hashes ^ _stirred(times ^ np.uint64(seed << 32))), kind="stable")


def hashed(text: str) -> int:
    """64 bits of a text's hash."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _content(row: dict[str, Any]) -> int:
    held = {column: value for column, value in row.items() if column != "origin"}
    return hashed(json.dumps(held, sort_keys=True, default=repr))


def _stirred(keys: Hashes) -> Hashes:
    """The last steps of SplitMix (Steele et al. 2014)."""
    import numpy as np

    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    stirred: Hashes = keys ^ (keys >> np.uint64(31))
    return stirred
