"""Decontaminate: rows that hold a piece of an evaluation set are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Data, Outcome, Transform
from smolrecipes.limits import Positive
from smolrecipes.transforms.texts import whole

if TYPE_CHECKING:
    from smolrecipes.near.shared import Index

Row = dict[str, Any]


class Decontaminate(Transform, name="decontaminate"):
    """Drops rows that share a run of words with an evaluation set (as Brown et al. 2020 did for GPT-3)."""

    evals: Data | str = option(kw_only=False)
    """The evaluation rows; several sets as one, with commas between their files or as a Mix."""
    words: Positive = 13
    """Words of a run; case and punctuation do not count."""
    least: Positive = 6
    """An evaluation row of fewer than `words` words counts as a whole: inside a row if it has so many, else as a row."""
    columns: tuple[str, ...] = ()
    """The columns of the evaluation rows that count, as ("source",) for the questions alone; all where none is named."""

    def check(self) -> None:
        if isinstance(self.evals, str):
            raise RecipeError(
                f"decontaminate.evals: a recipe finds out what '{self.evals}' is; elsewhere give a component, as Files(...)"
            )

    def apply(self, rows: Iterable[Row], known: Any) -> Iterator[Outcome]:
        from smolrecipes.near.shingles import batches

        assert isinstance(self.evals, Data)
        index, origins = _indexed(self, self.fingerprint())
        waiting: list[Row] = []

        def texts() -> Iterator[str]:
            for row in rows:
                waiting.append(row)
                yield whole(row)

        for batch in batches(texts()):
            for row, owner in zip(waiting, index.owners(batch).tolist(), strict=True):
                yield self._outcome(row, origins[owner] if owner >= 0 else "")
            waiting.clear()

    def _outcome(self, row: Row, like: str) -> Outcome:
        if not like:
            return Outcome(row)
        return Outcome(None, (f"holds a piece of {like.rpartition(':')[0] or like}",), like)

    def counted(self, row: Row) -> str:
        """What of an evaluation row counts."""
        if missing := set(self.columns) - set(row):
            name, there = min(missing), [column for column in row if column != "origin"]
            raise RecipeError(
                f"decontaminate.columns: {row['origin']} has no '{name}', only {', '.join(there)}{nearest(name, there)}"
            )
        return whole({column: row[column] for column in (*self.columns, "origin")} if self.columns else row)


@lru_cache(maxsize=4)
def _indexed(step: Decontaminate, content: str) -> tuple[Index, list[str]]:
    """The index of the evaluation rows and where each came from, made once in a process for this content."""
    from smolrecipes.near.shared import index

    origins: list[str] = []
    texts: list[str] = []
    assert isinstance(step.evals, Data)
    for row in step.evals.stream([]):
        origins.append(str(row["origin"]))
        texts.append(step.counted(row))
    return index(texts, step.words, step.least), origins
