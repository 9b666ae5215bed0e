"""MLM: predict hidden tokens from both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean, Objective
from smolrecipes.limits import Ge, Gt, Le, Lt

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.random import Generator
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class MLM(Objective, name="mlm"):
    """Masked language modelling (arXiv:1810.04805), its masks drawn anew in each epoch (arXiv:1907.11692)."""

    rows: ClassVar[tuple[str, ...]] = ("text",)
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
    documents: Literal["joined", "separate"] = "joined"
    """joined: one stream with a separator after each, cut into blocks, as RoBERTa's. separate: each by itself."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.masked + self.random > 1:
            raise RecipeError(f"MLM: masked={self.masked:g} and random={self.random:g} are more than all together")

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The document's tokens; joined documents end with a separator. None for an empty document."""
        return self.prepare_many([row], tokenizer, max_length)[0]

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """As `prepare`, many documents at a time."""
        from smolrecipes.objectives.text import encode_many

        end = tokenizer.sep_token_id if self.documents == "joined" else None
        found = encode_many([row["text"] for row in rows], tokenizer, end)
        return [{"input_ids": ids} if len(ids) > (end is not None) else None for ids in found]

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Blocks, or pieces of documents, with room for the tokens that the model expects around a text."""
        from smolrecipes.objectives.blocks import apart, joined
        from smolrecipes.objectives.text import around

        before, after = around(tokenizer)
        return (joined if self.documents == "joined" else apart)(examples, max_length - len(before) - len(after))

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
