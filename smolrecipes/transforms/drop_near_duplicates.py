"""DropNearDuplicates: what is nearly what was there before is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Gt, Le, Positive
from smolrecipes.transforms.texts import whole

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class DropNearDuplicates(Transform, name="drop_near_duplicates"):
    """Keeps the first of rows that are nearly the same: MinHash (Broder 1997) finds them, and they are compared exactly."""

    threshold: Annotated[float, Gt(0), Le(1)] = option(default=0.7, kw_only=False)
    """How alike a row has to be to one that stays: the share of their runs of words that both have (Jaccard's index)."""
    words: Positive = 5
    """Words of a run; case and punctuation do not count. A row of fewer words is a near-duplicate of its equals only."""

    def survey(self, rows: Iterable[Row]) -> Facts:
        """The bands of each row, 100 bytes or so."""
        import numpy as np

        from smolrecipes.near.bands import bands
        from smolrecipes.near.shingles import batches, shingles

        found = [bands(*shingles([], self.words), self.threshold)]
        for batch in batches(map(whole, rows)):
            found.append(bands(*shingles(batch, self.words), self.threshold))
        return {"bands": np.concatenate(found)}

    def narrow(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """The rows that have a band in common with another."""
        import numpy as np

        from smolrecipes.near.alike import meeting

        ends = np.cumsum([len(one["bands"]) for one in surveys])
        met = np.split(meeting([one["bands"] for one in surveys]), ends[:-1])
        asked = [np.flatnonzero(part) for part in met]
        return [{"rows": rows, "bands": one["bands"][rows]} for rows, one in zip(asked, surveys, strict=True)]

    def inspect(self, rows: Iterable[Row], known: Facts) -> Facts:
        """The shingles of these rows, and where they came from."""
        import numpy as np

        from smolrecipes.near.sets import distinct
        from smolrecipes.near.shingles import batches, shingles

        origins: list[bytes] = []

        def texts() -> Iterator[str]:
            asked = set(known["rows"].tolist())
            for index, row in enumerate(rows):
                if index in asked:
                    origins.append(str(row["origin"]).encode("utf-8", "surrogatepass"))
                    yield whole(row)

        found = [distinct(*shingles(batch, self.words)) for batch in [[], *batches(texts())]]
        flat, sizes, firsts = (np.concatenate(part) for part in zip(*found))
        return {**known, "shingles": flat, "sizes": sizes, "firsts": firsts, "origins": np.array(origins, dtype="S")}

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """Which rows are dropped, and where the row came from that each is like."""
        import numpy as np

        from smolrecipes.near.alike import likeness
        from smolrecipes.near.sets import Sets

        sets = Sets([(one["shingles"], one["sizes"], one["firsts"]) for one in surveys])
        found = likeness(np.concatenate([one["bands"] for one in surveys]), sets, self.threshold)
        origins = np.concatenate([one["origins"] for one in surveys])
        ends = np.cumsum([len(one["rows"]) for one in surveys])
        parts = zip(surveys, np.split(found, ends[:-1]), strict=True)
        return [{"dropped": one["rows"][like >= 0], "like": origins[like[like >= 0]]} for one, like in parts]

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        dropped = dict(zip(known["dropped"].tolist(), known["like"].tolist(), strict=True))
        for index, row in enumerate(rows):
            if index in dropped:
                like = dropped[index].decode("utf-8", "surrogatepass")
                yield Outcome(None, ("a near-duplicate of what was there before",), like)
            else:
                yield Outcome(row)
