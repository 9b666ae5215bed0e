"""Rows into examples: tokenised once, cached by content, memory mapped; the other ranks wait for the first."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.console import is_first
from smolrecipes.errors import RecipeError
from smolrecipes.launch import agreed

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout, Objective


@dataclass(frozen=True)
class Prepared:
    """Examples as they are trained on, and what became of the rows."""

    examples: Dataset
    rows: int
    dropped: int
    """Rows in which nothing could be learned within the length."""
    cut: int
    """Rows that lost tokens to the length."""

    @property
    def sentence(self) -> str:
        """What was lost, or nothing."""
        lost = [f"{self.dropped:,} rows dropped: nothing left to learn"] if self.dropped else []
        return "; ".join(
            lost + ([f"{self.cut:,} of {self.rows:,} rows cut at training.max_length"] if self.cut else [])
        )


def prepare(
    rows: Dataset, objective: Objective, tokenizer: PreTrainedTokenizerBase, max_length: int, cache: Path
) -> Prepared:
    """The objective's examples of these rows; the same rows, objective, tokenizer and length are never done twice."""
    parts = [
        content(rows),
        json.dumps(objective.identity(), sort_keys=True),
        tokenizer_text(tokenizer),
        str(max_length),
    ]
    tokens = cached(cache, "tokens", parts, lambda: _examples(rows, objective, tokenizer, max_length))
    examples = objective.arrange(tokens, max_length)
    cut = sum(1 for lost in tokens["cut"] if lost) if "cut" in tokens.column_names else 0
    return Prepared(examples, len(rows), len(rows) - len(tokens), cut)


def precomputed(
    examples: Dataset, objective: Objective, model: Any, layout: Layout, rows: int, base: str, cache: Path
) -> Dataset:
    """The examples with what the objective computes once before training; it may keep it under the content of all parts.

    rows: as many as one forward pass may take. base: what identifies the model's weights.
    """

    def keep(make: Callable[[], Dataset]) -> Dataset:
        parts = [content(examples), json.dumps(objective.identity(), sort_keys=True), base]
        return cached(cache, "precomputed", parts, make)

    return objective.precompute(examples, model, layout, rows, keep)


def cached(folder: Path, name: str, parts: list[str], make: Callable[[], Dataset]) -> Dataset:
    """What `make` makes, kept under the hash of `parts` and of the code that makes it.

    The first process makes it under the name that all agree on; the others wait for the files.
    """
    from datasets import load_from_disk

    key = hashlib.sha256(chr(0).join([*parts, code()]).encode()).hexdigest()[:16]
    target = folder / agreed(f"{name}-{key}")
    if not target.exists() and is_first():
        made = make()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
            made.save_to_disk(partial)
            if not target.exists():  # another run may have made the same meanwhile
                partial.rename(target)
        except OSError as error:
            raise RecipeError(
                f"{folder}: cannot write there ({error.strerror}); mend it, or name another with --runs"
            ) from None
    while not target.exists():  # the launcher ends this process if the first one fails
        time.sleep(0.2)
    return load_from_disk(target)


@lru_cache(maxsize=1)
def code() -> str:
    """The hash of what turns rows into examples: our objectives, and the versions of the tokenizers below them."""
    digest = hashlib.sha256(f"{version('transformers')} {version('tokenizers')}".encode())
    for file in sorted((Path(__file__).parent / "objectives").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def content(rows: Dataset) -> str:
    """The hash of the rows themselves, wherever they came from."""
    digest = hashlib.sha256(repr(rows.features).encode())
    for batch in rows.with_format("arrow").iter(10_000):
        for column in batch.itercolumns():
            digest.update("\n".join(map(repr, column.to_pylist())).encode())
    return digest.hexdigest()


def tokenizer_text(tokenizer: PreTrainedTokenizerBase) -> str:
    """Everything about a tokenizer that decides which ids a row becomes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return f"{vocabulary}{tokenizer.chat_template}{tokenizer.special_tokens_map}"


def _examples(rows: Dataset, objective: Objective, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    from datasets import Dataset, concatenate_datasets

    def batch(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        made: list[dict[str, Any]] = []
        for values in zip(*columns.values()):
            row = dict(zip(columns, values))
            try:
                example = objective.prepare(row, tokenizer, max_length)
            except RecipeError as error:
                raise RecipeError(f"{row['origin']}: {error}") from None
            if example is not None:
                made.append({**example, "origin": row["origin"]})
        return {name: [example[name] for example in made] for name in made[0]} if made else {}

    parts = [made for columns in rows.iter(1_000) if (made := batch(columns))]
    if not parts:
        raise RecipeError(
            f"none of the {len(rows):,} rows is left to learn from at training.max_length={max_length}: the prompts "
            f"fill it, so give more room (training.max_length={4 * max_length}), or the rows are empty"
        )
    return concatenate_datasets([Dataset.from_dict(part) for part in parts])
