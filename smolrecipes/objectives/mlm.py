"""MLM: predict hidden tokens from both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.limits import Ge, Gt, Le, Lt
from smolrecipes.objectives.documents import Documents

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class MLM(Documents, name="mlm"):
    """Masked language modelling (arXiv:1810.04805), its masks drawn anew in each epoch (arXiv:1907.11692)."""

    families: ClassVar[tuple[str, ...]] = ("encoder",)
    head: ClassVar[str] = "masked"
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...]] = ("documents",)

    rate: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Share of tokens that are predicted."""
    masked: Annotated[float, Ge(0), Le(1)] = 0.8
    """Share of those that are replaced by the mask token."""
    random: Annotated[float, Ge(0), Le(1)] = 0.1
    """And by a random token; the rest stay as they are, and are predicted all the same."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.masked + self.random > 1:
            raise RecipeError(f"MLM: masked={self.masked:g} and random={self.random:g} are more than all together")

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Hides tokens: `input_ids` as the model reads them, `labels` with what was there."""
        from smolrecipes.objectives.masking import hide, some_tokens
        from smolrecipes.objectives.text import wrapped

        ids = wrapped(example["input_ids"], tokenizer)
        chosen = some_tokens(ids, self.rate, rng, tokenizer)
        seen, labels = hide(ids, chosen, rng, tokenizer, self.masked, self.random)
        return {**example, "input_ids": seen, "labels": labels}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The texts with their hidden tokens."""
        return layout([(e["input_ids"], e["labels"]) for e in examples], causal=False)

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the hidden ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per hidden token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
