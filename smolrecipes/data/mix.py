"""Mix: several sources as one: in their order, by weight, by temperature, or as the stages of a curriculum."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data, Tokenizer
from smolrecipes.limits import Ge, Gt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset


class Mix(Data, name="mix"):
    """Rows of several sources: one after the other, or drawn by weight. The same sources always give the same rows."""

    sources: tuple[Data, ...] = option(kw_only=False)
    """Where the rows come from; all of one row type."""
    weights: tuple[Annotated[float, Gt(0)], ...] | None = None
    """How much each source gives in proportion to the others: (3, 1); None takes what is there."""
    rows: Annotated[int, Gt(0)] | None = None
    """How many rows in all, repeating a source that has too few; by default as many as there are without repeating."""
    by: Literal["rows", "bytes", "tokens"] = option(default="rows", added=True)
    """What weights and temperature are shares of: rows, bytes of text in UTF-8, or tokens of `tokenizer`."""
    tokenizer: Tokenizer | str | None = option(default=None, added=True)
    """What counts tokens, where shares are of tokens: the recipe's own, a folder or a hub id. It takes time at each start."""
    temperature: Annotated[float, Ge(1)] | None = option(default=None, added=True)
    """Shares proportional to size ** (1 / temperature), in place of weights: 1 leaves them, more brings them closer, as for
    the languages of XLM-R (Conneau et al. 2020) and mT5 (Xue et al. 2021), whose exponent 0.3 is a temperature of 3.3."""
    most_repeats: Annotated[float, Gt(0)] | None = option(default=None, added=True)
    """How many times a source's rows come at the most; what is then missing of `rows`, the others give. About 4 are as good
    as new text (Muennighoff et al. 2023). Without `rows`, as many rows are taken as there are with so many repeats."""
    order: Literal["shuffled", "stages"] = option(default="shuffled", added=True)
    """stages: training goes through the sources one after the other, once a run: all epochs of a stage before the next.
    The rows of a stage are shuffled; a mixture can be a stage."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sources:
            raise RecipeError('Mix.sources: name at least one source, as in Mix((Files("a.jsonl"), Files("b.jsonl")))')
        if self.weights is not None and len(self.weights) != len(self.sources):
            raise RecipeError(f"Mix.weights: {len(self.weights)} for {len(self.sources)} sources; give each its own")
        if self.weights is not None and self.temperature is not None:
            raise RecipeError("Mix: give weights or temperature, not both; a temperature makes the weights")
        if (self.by == "tokens") != (self.tokenizer is not None):
            raise RecipeError("Mix: by='tokens' and tokenizer go together; bytes are exact and need no tokenizer")
        if self.by != "rows" and self.weights is None and self.temperature is None:
            raise RecipeError(f"Mix.by={self.by}: shares of what? give weights or temperature")

    def load(self) -> Dataset:
        from datasets import concatenate_datasets

        from smolrecipes.data.files import files_in
        from smolrecipes.data.paths import told_apart
        from smolrecipes.data.shares import order

        with told_apart(files_in(self)):
            loaded = [source.load() for source in self.sources]
        self._alike(loaded)
        said = [rows.info.description or repr(source) for rows, source in zip(loaded, self.sources, strict=True)]
        sizes = [len(rows) for rows in loaded]
        mixed, places = concatenate_datasets(loaded), None
        if self.order == "stages":
            mixed = _staged(mixed, sizes)
        if self.changed().keys() & {"weights", "rows", "temperature", "most_repeats"}:
            places = order(sizes, self._counts(loaded), apart=self.order == "stages")
            mixed = mixed.select(places)
        mixed.info.description = "\n".join([*said, *self._told(mixed, sizes, places)])
        return mixed

    def _alike(self, loaded: Sequence[Dataset]) -> None:
        from smolrecipes.data.rows import row_type

        kinds = [row_type(rows) for rows in loaded]
        for source, rows, kind in zip(self.sources, loaded, kinds, strict=True):
            if kind != kinds[0]:
                raise RecipeError(
                    f"Mix: {self.sources[0]!r} holds {kinds[0]} rows, {source!r} {kind} rows; mix rows of one type"
                )
            if "stage" in rows.column_names:
                raise RecipeError(f"Mix: {source!r} has stages of its own; only the outermost mixture can have them")
            if rows.features != loaded[0].features:
                raise RecipeError(
                    f"Mix: {self.sources[0]!r} and {source!r} hold different labels or texts; write them alike"
                )

    def _counts(self, loaded: Sequence[Dataset]) -> list[int]:
        """How many rows each source gives."""
        from smolrecipes.data.shares import counts, without_repeating

        sizes = [len(rows) for rows in loaded]
        measured = sizes if self.by == "rows" else [self._measured(rows) for rows in loaded]
        if 0 in measured:
            raise RecipeError(f"Mix: {self.sources[measured.index(0)]!r} holds no text; leave it out")
        shares = self.weights or [size ** (1 / (self.temperature or 1)) for size in measured]
        weights = [share * (rows / size) for share, rows, size in zip(shares, sizes, measured, strict=True)]
        caps = [int(size * (self.most_repeats or 1)) for size in sizes]
        total = self.rows or without_repeating(caps, weights)
        found = counts(total, weights, [inf] * len(sizes) if self.rows and not self.most_repeats else caps)
        if 0 in found:
            raise RecipeError(f"Mix: {self.sources[found.index(0)]!r} would give no row; raise its weight, or rows")
        return found

    def _measured(self, rows: Dataset) -> int:
        """The bytes or tokens of a source."""
        from smolrecipes.data.shares import sizes

        if isinstance(self.tokenizer, str):
            raise RecipeError(
                f"mix.tokenizer: a recipe finds out what '{self.tokenizer}' is; elsewhere give a component, as "
                "PretrainedTokenizer(...)"
            )
        return int(sizes(rows, self.tokenizer.build(None) if self.tokenizer else None).sum())

    def _told(self, mixed: Dataset, sizes: list[int], places: list[int] | None) -> list[str]:
        """What each source gives, where there is a choice or an order, and what is missing."""
        import numpy as np

        from smolrecipes.data.shares import sizes as measure

        if places is None and self.order != "stages":
            return []
        owners = np.cumsum(sizes).searchsorted(range(len(mixed)) if places is None else places, side="right")
        counts, bytes_ = np.bincount(owners), np.bincount(owners, measure(mixed))
        told = zip(self.sources, sizes, counts.tolist(), bytes_.tolist(), strict=True)
        found = []
        for number, (source, size, count, part) in enumerate(told, 1):
            where = f"stage {number}" if self.order == "stages" else "mixed"
            again = f", repeated {count / size:.1f} times" if count > size else f" of {size:,}"
            share = part / max(1, bytes_.sum())
            found.append(f"{where}: {count:,} rows{again} from {source!r}, {part / 1e6:.2f} MB ({share:.1%})")
        if self.rows and len(mixed) < self.rows:
            repeats = f"no source gives its rows more than {self.most_repeats:g} times"
            found.append(f"mixed: {len(mixed):,} rows in all, not {self.rows:,}: {repeats}")
        if self.order == "stages":
            found.append("training goes through the stages once: all its passes over one come before the next")
        return found


def _staged(rows: Dataset, sizes: list[int]) -> Any:
    """The rows with the stage that each belongs to, from 0 on."""
    import numpy as np

    return rows.add_column("stage", np.repeat(np.arange(len(sizes)), sizes))
