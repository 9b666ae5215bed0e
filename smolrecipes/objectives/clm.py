"""CLM: predict every next token of documents packed into blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean, Objective

if TYPE_CHECKING:
    from datasets import Dataset
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class CLM(Objective, name="clm"):
    """Causal language modelling (Bengio et al. 2003; Radford et al. 2018).

    Each document is ended by the tokenizer's eos token; blocks have `max_length` positions. Every token is predicted
    exactly once an epoch, but the very first of joined documents.
    """

    rows: ClassVar[tuple[str, ...]] = ("text",)
    likelihood: ClassVar[bool] = True
    prepare_reads: ClassVar[tuple[str, ...]] = ("documents",)

    documents: Literal["joined", "separate"] = "joined"
    """joined: one stream, cut into blocks, and attention runs across the documents of a block, as in GPT-2's pretraining.
    separate: each sees itself alone, whole where it fits; they are packed into blocks by best fit (arXiv:2404.10830)."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The document's tokens and its end, after a start when it stands alone; None for an empty document."""
        return self.prepare_many([row], tokenizer, max_length)[0]

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """As `prepare`, many documents at a time."""
        from smolrecipes.objectives.text import encode_many

        if tokenizer.eos_token_id is None:
            raise RecipeError("CLM needs a tokenizer with an eos token, which marks where a document ends")
        found = encode_many([row["text"] for row in rows], tokenizer, end=tokenizer.eos_token_id)
        if self.documents == "separate":  # eos starts a text where there is no bos, as in GPT-2's generation
            start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
            return [{"input_ids": [start, *ids]} if len(ids) > 1 else None for ids in found]
        return [{"input_ids": ids} if len(ids) > 1 else None for ids in found]

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Blocks. Of joined documents, `max_length + 1` tokens that overlap by one: the last target of one is the first
        input of the next. Of separate ones, their pieces one after the other, with the `sizes` of the pieces."""
        from smolrecipes.objectives.blocks import joined, packed

        return joined(examples, max_length, overlap=1) if self.documents == "joined" else packed(examples, max_length)

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """Every next token is a label."""
        if self.documents == "joined":
            return layout([(e["input_ids"], e["input_ids"]) for e in examples])
        whole = []
        for example in examples:
            ids, end = example["input_ids"], 0
            for size in example["sizes"]:
                whole.append(ids[end : end + size])
                end += size
        return layout([(ids, ids) for ids in whole])

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the predicted ones."""
        return {"tokens": len(batch["labels"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood, in nats per token."""
        from smolrecipes.objectives.forward import token_nll

        return Loss({"nll": Mean(token_nll(model, batch), "tokens")})
