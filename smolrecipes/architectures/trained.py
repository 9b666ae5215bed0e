"""Another recipe's model as the base: trained first, or reused when it is already trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from smolrecipes.component import option
from smolrecipes.kinds import Architecture
from smolrecipes.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Trained(Architecture, name="trained"):
    """The model and tokenizer that `recipe` makes. `run` trains or finds it and puts `Pretrained(folder)` in its place."""

    family = ""  # the recipe's own model says which

    recipe: Recipe = option(kw_only=False)
    """The recipe of the stage before."""

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> PreTrainedModel:
        """Never reached in a run: the stage before has its folder by then."""
        self._not_yet()

    def _not_yet(self) -> NoReturn:
        raise TypeError("Trained is replaced by run() before anything is built; call recipe.trainer() or run(recipe)")
