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

        with told_apart(files_in(self)):
            loaded = [source.load() for source in self.sources]
        self._alike(loaded)
        said = [rows.info.description or repr(source) for rows, source in zip(loaded, self.sources, strict=True)]
        mixed = concatenate_datasets(loaded)
        if self.order == "stages" or self.changed().keys() & {"weights", "rows", "temperature", "most_repeats"}:
            mixed, told = self._drawn(mixed, [len(rows) for rows in loaded])
            said += told
        mixed.info.description = "\n".join(said)
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

    def _drawn(self, rows: Dataset, sizes: list[int]) -> tuple[Dataset, list[str]]:
        """Of the sources laid end to end the rows that the mixture has, and what each source gives."""
        import numpy as np

        from smolrecipes.data.shares import order

        owners, measured, stages = np.repeat(np.arange(len(sizes)), sizes), self._measured(rows), self.order == "stages"
        rows = rows.add_column("stage", owners) if stages else rows
        if self.changed().keys() & {"weights", "rows", "temperature", "most_repeats"}:
            whole = sizes if self.by == "rows" else np.bincount(owners, measured).tolist()
            places = order(sizes, self._counts(sizes, whole), apart=stages)
            rows, owners = rows.select(places), owners[places]
            measured = None if measured is None else measured[places]
        counts = np.bincount(owners).tolist()
        parts = None if measured is None else np.bincount(owners, measured).tolist()
        return rows, self._told(sizes, counts, parts)

    def _measured(self, rows: Dataset) -> Any:
        """The bytes or tokens of each row; None where nobody asks for them, and finding them takes time."""
        from smolrecipes.data.shares import is_plain, sizes

        if isinstance(self.tokenizer, str):
            raise RecipeError(
                f"mix.tokenizer: a recipe finds out what '{self.tokenizer}' is; elsewhere give a component, as "
                "PretrainedTokenizer(...)"
            )
        if self.by == "rows" and not is_plain(rows):
            return None
        return sizes(rows, self.tokenizer.build(None) if self.tokenizer else None)

    def _counts(self, sizes: list[int], whole: Sequence[float]) -> list[int]:
        """How many rows each source gives; `whole` is how much there is of each."""
        from smolrecipes.data.shares import counts, without_repeating

        if 0 in whole:
            raise RecipeError(f"Mix: {self.sources[whole.index(0)]!r} holds no text; leave it out")
        shares = self.weights or [size ** (1 / (self.temperature or 1)) for size in whole]
        weights = [share * (rows / size) for share, rows, size in zip(shares, sizes, whole, strict=True)]
        caps = [int(size * (self.most_repeats or 1)) for size in sizes]
        total = self.rows or without_repeating(caps, weights)
        found = counts(total, weights, [inf] * len(sizes) if self.rows and not self.most_repeats else caps)
        if 0 in found:
            raise RecipeError(f"Mix: {self.sources[found.index(0)]!r} would give no row; raise its weight, or rows")
        return found

    def _told(self, sizes: list[int], counts: list[int], parts: list[float] | None) -> list[str]:
        """What each source gives, in rows and, where it is known, in text; and what is missing."""
        found = []
        for number, (source, size, count) in enumerate(zip(self.sources, sizes, counts, strict=True)):
            where = f"stage {number + 1}" if self.order == "stages" else "mixed"
            again = f", repeated {count / size:.1f} times" if count > size else f" of {size:,}"
            found.append(f"{where}: {count:,} rows{again} from {source!r}")
            if parts:
                much = f"{parts[number]:,.0f} tokens" if self.tokenizer else f"{parts[number] / 1e6:.2f} MB"
                found[-1] += f", {much} ({parts[number] / max(1, sum(parts)):.1%} of the text)"
        if self.rows and sum(counts) < self.rows:
            repeats = f"no source gives its rows more than {self.most_repeats:g} times"
            found.append(f"mixed: {sum(counts):,} rows in all, not {self.rows:,}: {repeats}")
        if self.order == "stages":
            found.append("training goes through the stages once: all its passes over one come before the next")
        return found
