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

MOST = 2**30
"""Tokens of one chunk of blocks: Arrow counts those of a list column in 32 bits."""


class CLM(Objective, name="clm"):
    """Causal language modelling (Bengio et al. 2003; Radford et al. 2018).

    Documents are joined in order, each ended by the tokenizer's eos token, and cut into blocks of `max_length`
    positions. Every token but the very first is predicted exactly once an epoch; attention runs across the
    documents of a block, as in GPT-2's pretraining.
    """

    rows: ClassVar[tuple[str, ...]] = ("text",)
    prepare_reads: ClassVar[tuple[str, ...]] = ()

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The document's tokens and its end; None for an empty document."""
        return self.prepare_many([row], tokenizer, max_length)[0]

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """As `prepare`, many documents at a time."""
        from smolrecipes.objectives.text import encode_many

        if tokenizer.eos_token_id is None:
            raise RecipeError("CLM needs a tokenizer with an eos token, which marks where a document ends")
        found = encode_many([row["text"] for row in rows], tokenizer, end=tokenizer.eos_token_id)
        return [{"input_ids": ids} if len(ids) > 1 else None for ids in found]

    def arrange(self, examples: Dataset, max_length: int) -> Dataset:
        """Blocks of `max_length + 1` tokens that overlap by one: the last target of one is the first input of the next."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        from datasets import Dataset
        from datasets.fingerprint import generate_random_fingerprint

        documents, size = examples.data.column("input_ids"), max_length + 1
        stream = np.concatenate([chunk.flatten().to_numpy() for chunk in documents.chunks])
        ends = pc.list_value_length(documents).to_numpy().cumsum(dtype=np.int64)
        cuts, many = np.arange(0, len(stream) - 1, max_length), max(1, MOST // size)
        blocks = [_blocks(stream[cut : cut + many * max_length + 1], max_length) for cut in cuts[::many]]
        origins = examples.data.column("origin").take(pa.array(ends.searchsorted(cuts, side="right")))
        made = pa.table({"input_ids": pa.chunked_array(blocks), "origin": origins})
        return Dataset(made, fingerprint=generate_random_fingerprint())  # else it would hash all of them

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


def _blocks(stream: Any, max_length: int) -> Any:
    """The blocks of a stretch of the stream as an Arrow list array."""
    import numpy as np
    import pyarrow as pa

    again = np.arange(max_length, len(stream) - 1, max_length)
    values = np.insert(stream, again, stream[again])
    starts = np.arange(len(again) + 2) * (max_length + 1)
    return pa.ListArray.from_arrays(pa.array(np.minimum(starts, len(values)), pa.int32()), pa.array(values))
