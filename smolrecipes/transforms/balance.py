"""Balance: no class has more rows than another, or than a number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Ge, Lt, Positive
from smolrecipes.transforms.drawn import contents, drawn, hashed

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class Balance(Transform, name="balance"):
    """Drops rows, drawn, of the classes that have too many. Which ones follows from the seed and what they hold."""

    by: str = option(default="label", kw_only=False)
    """The column that tells the classes apart."""
    most: Literal["smallest"] | Positive = "smallest"
    """Rows of a class: as many as the smallest has, or a number; smaller ones stay whole."""
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    """Another one draws others."""

    def survey(self, rows: Iterable[Row]) -> Facts:
        import numpy as np

        classes: list[int] = []

        def noted() -> Iterator[Row]:
            for row in rows:
                classes.append(hashed(self._class(row)))
                yield row

        return {"hashes": contents(noted()), "classes": np.array(classes, dtype=np.uint64)}

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        import numpy as np

        _, classes = np.unique(np.concatenate([one["classes"] for one in surveys]), return_inverse=True)
        sizes = np.bincount(classes)
        order = drawn(np.concatenate([one["hashes"] for one in surveys]), self.seed)
        order = order[np.argsort(classes[order], kind="stable")]
        kept = np.zeros(len(order), dtype=bool)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept[order[rank < (sizes.min(initial=len(order)) if self.most == "smallest" else self.most)]] = True
        return [{"kept": part} for part in np.split(kept, np.cumsum([len(one["hashes"]) for one in surveys])[:-1])]

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        for row, kept in zip(rows, known["kept"].tolist(), strict=True):
            yield Outcome(row) if kept else Outcome(None, (f"enough rows have {self.by} {self._class(row)}",))

    def _class(self, row: Row) -> str:
        if self.by not in row:
            there = [column for column in row if column != "origin"]
            raise RecipeError(
                f"balance.by: {row['origin']} has no '{self.by}', only {', '.join(there)}{nearest(self.by, there)}"
            )
        return str(row[self.by])
