"""An adapter: what is trained instead of all the weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from smolrecipes.component import Component

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Adapter(Component, kind="adapter"):
    """What is trained instead of all the weights."""

    def check(self) -> None:
        """Raises RecipeError where this cannot run; called before anything is built."""

    def check_targets(self, model: PreTrainedModel) -> None:
        """Raises RecipeError where the model lacks what it adapts; the model's weights may be empty."""

    @abstractmethod
    def apply(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Any:
        """The model with the adapter, a `peft.PeftModel`."""
