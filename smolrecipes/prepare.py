"""Rows into examples: tokenised once, in parallel, cached by content, memory mapped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.cache import cached, content
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Objective
from smolrecipes.launch import cores
from smolrecipes.workers import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


@dataclass(frozen=True)
class Prepared:
    """Examples as they are trained on, and what became of the rows."""

    examples: Dataset
    rows: int
    dropped: int
    """Rows in which nothing could be learned within the length."""
    cut: int
    """Rows that lost tokens to the length."""
    spelt: int
    """Messages that spell control tokens."""
    made: Dataset
    """The examples as they were before the objective arranged them: one for each row that is left."""

    @property
    def sentence(self) -> str:
        """What was lost, or nothing."""
        said = {
            f"{self.dropped:,} rows dropped: nothing left to learn": self.dropped,
            f"{self.cut:,} of {self.rows:,} rows cut at training.max_length": self.cut,
            f"{self.spelt:,} messages spell control tokens, which are read as text": self.spelt,
        }
        return "; ".join(text for text, count in said.items() if count)


def prepare(
    rows: Dataset,
    objective: Objective,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    cache: Path,
    threads: int | None = None,
) -> Prepared:
    """The objective's examples of these rows; the same rows, objective, tokenizer and length are never done twice.

    threads: the cores to use, by default all: the processes of a launch that do not prepare only wait.
    """
    import pyarrow.compute as pc

    @once
    def parts() -> list[str]:
        return [content(rows), what_it_reads(objective), tokenizer_text(tokenizer), str(max_length)]

    def examples() -> Dataset:
        return _examples(rows, objective, tokenizer, max_length, threads)

    tokens = arranged = cached(cache, "tokens", parts, examples)
    if type(objective).arrange is not Objective.arrange:
        arranged = cached(cache, "arranged", parts, lambda: _arranged(tokens, objective, tokenizer, max_length))
    counts = {name: tokens.data.column(name) for name in ("cut", "spelt") if name in tokens.column_names}
    cut = pc.sum(pc.greater(counts["cut"], 0)).as_py() if "cut" in counts else 0
    spelt = pc.sum(counts["spelt"]).as_py() if "spelt" in counts else 0
    return Prepared(arranged, len(rows), len(rows) - len(tokens), cut, spelt, tokens)


def _arranged(examples: Dataset, objective: Objective, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """The examples as the objective arranges them, those of each stage of a curriculum by themselves: no block mixes two."""
    import numpy as np
    from datasets import Dataset, concatenate_datasets

    if "stage" not in examples.column_names:
        return objective.arrange(examples, max_length, tokenizer)
    stages, parts = examples.data.column("stage").to_numpy(), []
    for stage in np.unique(stages):
        own = Dataset(examples.data.table.filter(stages == stage).drop_columns("stage"), fingerprint=f"stage-{stage}")
        made = objective.arrange(own, max_length, tokenizer)
        parts.append(made.add_column("stage", np.full(len(made), stage)))
    return concatenate_datasets(parts)


def precomputed(
    examples: Dataset, objective: Objective, model: Any, layout: Layout, rows: int, base: str, cache: Path
) -> Dataset:
    """The examples with what the objective computes once before training; it may keep it under the content of all parts.

    rows: as many as one forward pass may take. base: what identifies the model's weights.
    """

    def keep(make: Callable[[], Dataset]) -> Dataset:
        return cached(cache, "precomputed", lambda: [content(examples), what_it_reads(objective), base], make)

    return objective.precompute(examples, model, layout, rows, keep)


def what_it_reads(objective: Objective) -> str:
    """The objective's identity without the options that, as its class says, its examples do not depend on."""
    reads = vars(type(objective)).get("prepare_reads")
    seen = objective.options() if reads is None else reads
    identity = {n: v for n, v in objective.identity().items() if n in seen or n not in objective.options()}
    return json.dumps(identity, sort_keys=True)


def tokenizer_text(tokenizer: PreTrainedTokenizerBase) -> str:
    """Everything about a tokenizer that decides which ids a row becomes."""
    from smolrecipes.objectives.text import plain

    if hasattr(tokenizer, "backend_tokenizer"):
        vocabulary = plain(tokenizer).to_str()
    else:
        vocabulary = (
            f"{type(tokenizer)} {sorted(tokenizer.get_vocab().items())} {sorted(tokenizer.init_kwargs.items())}"
        )
    special = (tokenizer.special_tokens_map, tokenizer.split_special_tokens)
    return f"{vocabulary}{tokenizer.chat_template}{special}"


def _examples(
    rows: Dataset,
    objective: Objective,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    threads: int | None = None,
) -> Dataset:
    import pyarrow as pa
    from datasets import Dataset
    from datasets.fingerprint import generate_random_fingerprint

    made = list(tables(rows, objective, tokenizer, max_length, threads or cores()))
    if not made:
        raise RecipeError(
            f"none of the {len(rows):,} rows is left to learn from at training.max_length={max_length}: the prompts "
            f"fill it, so give more room (training.max_length={4 * max_length}), or the rows are empty"
        )
    table = pa.concat_tables(made, promote_options="default")
    return Dataset(table, fingerprint=generate_random_fingerprint())  # else it would hash all of them
