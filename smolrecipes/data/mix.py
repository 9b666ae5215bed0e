"""Mix: several sources as one, in their order or by weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data
from smolrecipes.limits import Gt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset


class Mix(Data, name="mix"):
    """Rows of several sources: one after the other, or drawn by weight. The same sources always give the same rows."""

    sources: tuple[Data, ...] = option(kw_only=False)
    """Where the rows come from; all of one row type."""
    weights: tuple[Annotated[float, Gt(0)], ...] | None = None
    """How many rows each source gives in proportion to the others: (3, 1); None takes what is there."""
    rows: Annotated[int, Gt(0)] | None = None
    """How many rows in all, repeating a source that has too few; by default as many as there are without repeating."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sources:
            raise RecipeError('Mix.sources: name at least one source, as in Mix((Files("a.jsonl"), Files("b.jsonl")))')
        if self.weights is not None and len(self.weights) != len(self.sources):
            raise RecipeError(f"Mix.weights: {len(self.weights)} for {len(self.sources)} sources; give each its own")

    def load(self) -> Dataset:
        from datasets import concatenate_datasets

        from smolrecipes.data.files import files_in
        from smolrecipes.data.paths import told_apart

        with told_apart(files_in(self)):
            loaded = [source.load() for source in self.sources]
        self._alike(loaded)
        said = [rows.info.description or repr(source) for rows, source in zip(loaded, self.sources, strict=True)]
        if self.weights is None and self.rows is None:
            mixed = concatenate_datasets(loaded)
        else:
            sizes = [len(rows) for rows in loaded]
            counts = self._counts(sizes)
            said += [
                _drawn(source, count, size) for source, count, size in zip(self.sources, counts, sizes, strict=True)
            ]
            mixed = concatenate_datasets(loaded).select(_order(sizes, counts))
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
            if rows.features != loaded[0].features:
                raise RecipeError(
                    f"Mix: {self.sources[0]!r} and {source!r} hold different labels or texts; write them alike"
                )

    def _counts(self, sizes: list[int]) -> list[int]:
        """How many rows each source gives: as the weights say, to the nearest row."""
        weights = self.weights or tuple(sizes)
        total = self.rows or int(
            min(size / weight for size, weight in zip(sizes, weights, strict=True)) * sum(weights) + 1e-9
        )
        exact = [total * weight / sum(weights) for weight in weights]
        counts = [int(share + 1e-9) for share in exact]
        by_remainder = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
        for i in by_remainder:
            room = self.rows is not None or counts[i] < sizes[i]
            counts[i] += room and sum(counts) < total
        if 0 in counts:
            raise RecipeError(f"Mix: {self.sources[counts.index(0)]!r} would give no row; raise its weight, or rows")
        return counts


def _order(sizes: list[int], counts: list[int]) -> list[int]:
    """Indices into the sources laid end to end: each one's rows in a fixed shuffled order, spread evenly."""
    import hashlib

    placed = []
    start = 0
    for source, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        shuffled = sorted(range(size), key=lambda i: hashlib.sha256(f"{source}:{i}".encode()).digest())
        placed += [((n + 0.5) / count, source, start + shuffled[n % size]) for n in range(count)]
        start += size
    return [index for _, _, index in sorted(placed)]


def _drawn(source: Data, count: int, size: int) -> str:
    again = f", repeated {count / size:.1f} times" if count > size else f" of {size:,}"
    return f"mixed: {count:,} rows{again} from {source!r}"
