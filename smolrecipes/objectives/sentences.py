"""MLM with a second task: whether one part of a text follows the other, or which of them comes first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean
from smolrecipes.objectives.mlm import MLM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset
    from numpy.random import Generator
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class TwoParts(MLM):
    """MLM on two parts of a document, cut at the end of a sentence where there is one, and a yes or no about both."""

    head: ClassVar[str] = "pretraining"
    likelihood: ClassVar[bool] = False
    prepare_reads: ClassVar[tuple[str, ...] | None] = MLM.prepare_reads
    task: ClassVar[str]
    """What the second term is called."""

    documents: Literal["separate"] = "separate"
    """Each stands by itself."""

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """Pieces of documents of two tokens at least, each with one of another document beside it (`other_ids`)."""
        from smolrecipes.objectives.blocks import apart, with_others
        from smolrecipes.objectives.framed import frame

        room = max_length - frame(tokenizer, 2).size
        if room < 2:
            raise RecipeError(f"training.max_length={max_length} leaves no room for two texts; give more")
        return with_others(apart(examples, room), type(self).__name__)

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Two parts with hidden tokens, and `answer`: 1 where the second does not follow, or comes first."""
        import numpy as np

        from smolrecipes.objectives.framed import frame

        whole, other = ([np.asarray(example[f"{name}{column}"]) for column in self._columns] for name in ("", "other_"))
        parts, answer = self.parted([_halves(whole, rng, tokenizer), _halves(other, rng, tokenizer)], rng)
        around = frame(tokenizer, 2)
        made = around.around([part[0].tolist() for part in parts])
        begins = np.ones(len(made["input_ids"]))
        for start, part in zip(made["starts"], parts):
            begins[start : start + len(part[0])] = part[-1] if self.whole_words else 1
        hidden = self.hidden(np.array(made["input_ids"]), begins, rng, tokenizer)
        return {**hidden, "types": made.get("token_type_ids"), "answer": answer, "origin": example["origin"]}

    @property
    def _columns(self) -> tuple[str, ...]:
        return ("input_ids", "begins") if self.whole_words else ("input_ids",)

    def parted(self, halves: list[Any], rng: Generator) -> tuple[Any, int]:
        """The two parts that are shown, of the halves of a document and of another, and the answer."""
        raise NotImplementedError

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The pairs with their hidden tokens, and `answer`, (pairs,)."""
        import torch

        rows = [(e["input_ids"], e["labels"], (0, 0), e["types"]) for e in examples]
        return {**layout(rows, causal=False), "answer": torch.tensor([e["answer"] for e in examples])}

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`tokens`: the hidden ones. `rows`: the pairs."""
        return {"tokens": len(batch["labels"]), "rows": len(batch["answer"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihoods, in nats per hidden token and per pair."""
        import torch.nn.functional as F

        from smolrecipes.objectives.forward import before_head, reached_nll, unwrap

        with _pooled_each(unwrap(model), batch):
            reached = before_head(model, batch)
        output = reached.output
        nll = reached_nll(reached, batch["labels"])
        scores = (output.seq_relationship_logits if self.task == "nsp" else output.sop_logits).float()
        right = batch["answer"]
        hits = (scores.argmax(-1) == right).float().sum()
        order = F.cross_entropy(scores, right, reduction="sum")
        return Loss({"mlm": Mean(nll, "tokens"), self.task: Mean(order, "rows")}, {"accuracy": Mean(hits, "rows")})


class MLMNSP(TwoParts, name="mlm_nsp"):
    """MLM and next sentence prediction, BERT's own (arXiv:1810.04805): half of the second parts are of another document."""

    types: ClassVar[tuple[str, ...]] = ("bert",)
    task: ClassVar[str] = "nsp"
    prepare_reads: ClassVar[tuple[str, ...] | None] = MLM.prepare_reads

    def parted(self, halves: list[Any], rng: Generator) -> tuple[Any, int]:
        (first, second), (_, other) = halves
        random = int(rng.random() < 0.5)
        size = min(len(second[0]), len(other[0]))  # of both kinds alike: else their lengths would tell them apart
        return (first, [part[:size] for part in (other if random else second)]), random


class MLMSOP(TwoParts, name="mlm_sop"):
    """MLM and sentence order prediction, ALBERT's own (arXiv:1909.11942): half of the pairs have changed places."""

    types: ClassVar[tuple[str, ...]] = ("albert",)
    task: ClassVar[str] = "sop"
    prepare_reads: ClassVar[tuple[str, ...] | None] = MLM.prepare_reads

    def parted(self, halves: list[Any], rng: Generator) -> tuple[Any, int]:
        (first, second), _ = halves
        swapped = int(rng.random() < 0.5)
        return (second, first) if swapped else (first, second), swapped


@contextmanager
def _pooled_each(inner: Any, batch: dict[str, Any]) -> Iterator[None]:
    """Within, the pooler reads the first token of each text where they lie side by side; else of each row, as always."""
    body = inner.base_model
    states: list[Tensor] = []
    starts = [span.start for span in batch["spans"].spans] if "spans" in batch else []

    def keep(module: Module, args: Any, output: Any) -> None:
        states[:] = [output[0]]

    def first(module: Module, args: tuple[Tensor]) -> tuple[Tensor]:
        found = states[0][0, starts]  # BERT's takes rows, ALBERT's their first tokens
        return (found[:, None] if args[0].dim() == 3 else found,)

    hooks: list[Any] = []
    if starts:
        hooks = [body.encoder.register_forward_hook(keep), body.pooler.register_forward_pre_hook(first)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _halves(columns: list[Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> tuple[list[Any], list[Any]]:
    """A text's columns up to a place and from there on: the end of a sentence, or any place where there is none."""
    import numpy as np

    from smolrecipes.objectives.spans import sentence_ends

    ids = columns[0]
    ends = sentence_ends(ids[:-1], tokenizer) + 1
    cut = int(rng.choice(ends)) if len(ends) else int(rng.integers(1, len(ids)))
    assert 0 < cut < len(np.asarray(ids))
    return [column[:cut] for column in columns], [column[cut:] for column in columns]
