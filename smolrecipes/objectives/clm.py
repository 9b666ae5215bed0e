"""CLM: predict every next token of documents packed into blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean, Objective

if TYPE_CHECKING:
    from datasets import Dataset
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class CLM(Objective, name="clm"):
    """Causal language modelling (Bengio et al. 2003; Radford et al. 2018).

    Documents are joined in order, each ended by the tokenizer's eos token, and cut into blocks of `max_length`
    positions. Every token but the very first is predicted exactly once an epoch; attention runs across the
    documents of a block, as in GPT-2's pretraining.
    """

    rows: ClassVar[tuple[str, ...]] = ("text",)

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The document's tokens and its end; None for an empty document."""
        if tokenizer.eos_token_id is None:
            raise RecipeError("CLM needs a tokenizer with an eos token, which marks where a document ends")
        ids = tokenizer(row["text"], add_special_tokens=False, verbose=False)["input_ids"]
        return {"input_ids": [*ids, tokenizer.eos_token_id]} if ids else None

    def arrange(self, examples: Dataset, max_length: int) -> Dataset:
        """Blocks of `max_length + 1` tokens that overlap by one: the last target of one is the first input of the next."""
        import numpy as np
        from datasets import Dataset

        lists = examples.data.column("input_ids").combine_chunks()
        stream, starts = lists.flatten().to_numpy(), np.asarray(lists.offsets)
        cuts = range(0, len(stream) - 1, max_length)
        first = np.searchsorted(starts, list(cuts), side="right") - 1
        origins = examples.data.column("origin").to_pylist()
        return Dataset.from_dict(
            {
                "input_ids": [stream[cut : cut + max_length + 1] for cut in cuts],
                "origin": [origins[row] for row in first],
            },
            features=examples.features,
        )

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Every next token is a label."""
        from smolrecipes.objectives.layout import Sequence

        return layout([Sequence(e["input_ids"], e["input_ids"]) for e in examples])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the predicted ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
