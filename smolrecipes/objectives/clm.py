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

MOST = 2**30
"""Tokens of one chunk of blocks: Arrow counts those of a list column in 32 bits."""


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

    def arrange(self, examples: Dataset, max_length: int) -> Dataset:
        """Blocks. Of joined documents, `max_length + 1` tokens that overlap by one: the last target of one is the first
        input of the next. Of separate ones, their pieces one after the other, with the `sizes` of the pieces."""
        import numpy as np
        import pyarrow.compute as pc

        documents = examples.data.column("input_ids")
        stream = np.concatenate([chunk.flatten().to_numpy() for chunk in documents.chunks])
        ends = pc.list_value_length(documents).to_numpy().cumsum(dtype=np.int64)
        made = (_joined if self.documents == "joined" else _separate)(stream, ends, max_length)
        return _dataset(examples, *made)

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


def _joined(stream: Any, ends: Any, max_length: int) -> tuple[dict[str, Any], Any]:
    """Blocks that overlap by one token, and the document that each begins in."""
    import numpy as np
    import pyarrow as pa

    cuts, many = np.arange(0, len(stream) - 1, max_length), max(1, MOST // (max_length + 1))
    blocks = [_blocks(stream[cut : cut + many * max_length + 1], max_length) for cut in cuts[::many]]
    return {"input_ids": pa.chunked_array(blocks)}, ends.searchsorted(cuts, side="right")


def _separate(stream: Any, ends: Any, max_length: int) -> tuple[dict[str, Any], Any]:
    """Pieces of documents, packed into blocks by best fit, and the document of each block's first piece."""
    import numpy as np
    import pyarrow as pa

    from smolrecipes.objectives.packing import best_fit, pieces

    first, stop = pieces(ends, max_length)
    packed = best_fit((stop - first - 1).tolist(), max_length)
    ids = [np.concatenate([stream[first[piece] : stop[piece]] for piece in block]) for block in packed]
    sizes = [[int(stop[piece] - first[piece]) for piece in block] for block in packed]
    begins = ends.searchsorted(first[[block[0] for block in packed]], side="right")
    return {"input_ids": pa.array(ids, pa.list_(pa.int32())), "sizes": pa.array(sizes, pa.list_(pa.int32()))}, begins


def _dataset(examples: Dataset, columns: dict[str, Any], rows: Any) -> Dataset:
    """Blocks, with where the rows came from that they begin in."""
    import pyarrow as pa
    from datasets import Dataset
    from datasets.fingerprint import generate_random_fingerprint

    made = pa.table({**columns, "origin": examples.data.column("origin").take(pa.array(rows))})
    return Dataset(made, fingerprint=generate_random_fingerprint())  # else it would hash all of them


def _blocks(stream: Any, max_length: int) -> Any:
    """The blocks of a stretch of the stream as an Arrow list array."""
    import numpy as np
    import pyarrow as pa

    again = np.arange(max_length, len(stream) - 1, max_length)
    values = np.insert(stream, again, stream[again])
    starts = np.arange(len(again) + 2) * (max_length + 1)
    return pa.ListArray.from_arrays(pa.array(np.minimum(starts, len(values)), pa.int32()), pa.array(values))
