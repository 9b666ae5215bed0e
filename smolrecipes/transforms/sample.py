"""Sample: some of the rows, drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Ge, Gt, Le, Lt, Positive
from smolrecipes.transforms.drawn import contents, drawn

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class Sample(Transform, name="sample"):
    """Some of the rows, in their order. Which ones follows from the seed and what they hold; a larger sample has them too."""

    count: Positive | None = None
    """How many rows."""
    share: Annotated[float, Gt(0), Le(1)] | None = None
    """Or which share of them."""
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    """Another one draws others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.count is None) == (self.share is None):
            raise RecipeError(
                "Sample: give either count, a number of rows, or share, a part of them, as Sample(share=0.1)"
            )

    def survey(self, rows: Iterable[Row]) -> Facts:
        return {"hashes": contents(rows)}

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        import numpy as np

        hashes = np.concatenate([one["hashes"] for one in surveys])
        kept = np.zeros(len(hashes), dtype=bool)
        kept[drawn(hashes, self.seed)[: self._of(len(hashes))]] = True
        return [{"kept": part} for part in np.split(kept, np.cumsum([len(one["hashes"]) for one in surveys])[:-1])]

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        for row, kept in zip(rows, known["kept"].tolist(), strict=True):
            yield Outcome(row) if kept else Outcome(None, ("is not in the sample",))

    def _of(self, rows: int) -> int:
        """How many of so many rows."""
        if self.share is not None:
            return max(1, round(self.share * rows))
        assert self.count is not None
        if self.count > rows:
            raise RecipeError(
                f"sample.count: {self.count:,} rows cannot be drawn from {rows:,}; take fewer, or leave it out"
            )
        return self.count
