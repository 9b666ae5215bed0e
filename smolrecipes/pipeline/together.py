"""Shards as one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.pipeline.shards import read

if TYPE_CHECKING:
    from datasets import Dataset


def together(shards: Sequence[Path], said: Sequence[str]) -> Dataset:
    """The rows of all, memory mapped; `info.description` is what was said of them."""
    from datasets import concatenate_datasets

    loaded = [read(shard) for shard in shards]
    found = concatenate_datasets(loaded) if len(loaded) > 1 else loaded[0]
    found.info.description = "\n".join(said)
    return found
