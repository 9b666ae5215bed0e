"""An architecture: a model with new weights, or with trained ones."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.component import Component

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds.tokenizer import Tokenizer


class Architecture(Component, kind="architecture"):
    """A model: built from canonical sizes, or loaded with its weights."""

    family: ClassVar[str] = "decoder"
    """decoder, encoder or encoder-decoder; empty where only its weights tell."""
    lacks: ClassVar[tuple[str, ...]] = ()
    """What it cannot do, of: sdpa, gradient checkpointing, all linear layers (a LoRA reaches only some of its matrices)."""

    @abstractmethod
    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> PreTrainedModel:
        """The model with the head that the objective asks for (`causal`, `masked`, ...: `architectures/heads.py`)."""

    def outline(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> Any:
        """What `build` makes, without weights, for checks before anything is trained; None where nobody can tell."""
        return None

    def packs(self, model: PreTrainedModel) -> bool:
        """Whether its attention is exact when sequences lie side by side without padding (`smolrecipes.attention`).

        It is for a plain softmax over the keys, with or without a window, and positions taken from `position_ids`.
        """
        return False

    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer that comes with the weights; None when it is built from scratch."""
        return None
