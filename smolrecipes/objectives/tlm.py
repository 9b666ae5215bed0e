"""TLM: predict hidden tokens of a text beside its translation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.errors import RecipeError
from smolrecipes.objectives.mlm import MLM

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.random import Generator
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture, Layout


class TLM(MLM, name="tlm"):
    """Translation language modelling (XLM, arXiv:1901.07291): both texts in one, each counted from its own beginning.

    Where the model has embeddings of languages, each token gets that of its own.
    """

    rows: ClassVar[tuple[str, ...]] = ("pair",)
    prepare_reads: ClassVar[tuple[str, ...] | None] = ("languages",)

    documents: Literal["separate"] = "separate"
    """Each pair stands by itself."""
    unit: Literal["token"] = "token"
    """What is hidden at once."""
    languages: tuple[str, ...] = ("en", "it")
    """In the order of their embeddings: those that rows name in source_language and target_language; of rows that name
    none, sources are in the first and targets in the second."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Both texts, cut from the longer one, and their languages; None when a side is empty."""
        from smolrecipes.objectives.framed import encode, frame, shortened

        texts = encode([row["source"], row["target"]], tokenizer)
        kept = shortened(texts, max_length - frame(tokenizer, 2).size)
        if not all(kept):
            return None
        sides = [self._language(row, index) for index in (0, 1)]
        cut = sum(map(len, texts)) - sum(map(len, kept))
        return {"input_ids": kept[0], "target_ids": kept[1], "sides": sides, "cut": cut}

    def prepare_many(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any] | None]:
        """Row by row."""
        return [self.prepare(row, tokenizer, max_length) for row in rows]

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Keeps in the config which language has which embedding."""
        super().complete(model, architecture, tokenizer)
        if getattr(model.config, "use_lang_emb", False):
            model.config.lang2id = {name: number for number, name in enumerate(self.languages)}

    def _language(self, row: dict[str, Any], index: int) -> int:
        name = row.get(("source_language", "target_language")[index])
        if name is None:
            return index
        if name not in self.languages:
            raise RecipeError(
                f"{row['origin']}: its language {name} is not among objective.languages={list(self.languages)}"
            )
        return self.languages.index(name)

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """As they are."""
        return examples

    def draw(self, example: dict[str, Any], rng: Generator, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Both texts in one with hidden tokens, with `positions` and `langs`."""
        import numpy as np

        from smolrecipes.objectives.framed import frame

        around = frame(tokenizer, 2)
        made = around.around([example["input_ids"], example["target_ids"]])
        size = len(made["input_ids"])
        border = made["starts"][1] - max(0, len(around.control[1]) - 1)  # the control token before it is its own
        second = np.arange(size) >= border
        return {
            **self.hidden(np.array(made["input_ids"]), None, rng, tokenizer),
            "types": made.get("token_type_ids"),
            "positions": np.arange(size) - border * second,
            "langs": np.where(second, example["sides"][1], example["sides"][0]),
            "origin": example["origin"],
        }

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The pairs with their hidden tokens, `position_ids` and `langs`, shaped as the ids."""
        import numpy as np
        import torch

        from smolrecipes.objectives.layout import padded

        batch = layout([(e["input_ids"], e["labels"], (0, 0), e["types"]) for e in examples], causal=False)
        columns = [[e[name] for e in examples] for name in ("positions", "langs")]
        made = [np.concatenate(each)[None] if "spans" in batch else padded(each, 0) for each in columns]
        positions, langs = map(torch.from_numpy, made)
        return {**batch, "position_ids": positions + layout.first, "langs": langs}
