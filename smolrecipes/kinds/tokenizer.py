"""A tokenizer: loaded, or learned from rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from smolrecipes.component import Component

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


class Tokenizer(Component, kind="tokenizer"):
    """A way to obtain or train a tokenizer."""

    @abstractmethod
    def build(self, rows: Dataset | None) -> PreTrainedTokenizerBase:
        """The tokenizer; one that learns does so from its own data, or else from `rows`, the recipe's training rows."""
