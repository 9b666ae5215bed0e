"""What became of the rows in a step: counted, with reasons and examples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from smolrecipes.data.rows import texts
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome

Row = dict[str, Any]
SHOWN = 10
"""Examples of a step."""
LONG = 300
"""Characters of a text that are shown."""
REASONS = 100
"""Different reasons that are counted, each by itself."""
OTHERS = f"others than the {REASONS} that are counted"
"""What the rest are counted as."""


@dataclass
class Report:
    """What became of rows in one step."""

    rows_in: int = 0
    rows_out: int = 0
    changed: int = 0
    """Of those that go on."""
    bytes_in: int = 0
    """Of all texts, in UTF-8."""
    bytes_out: int = 0
    seconds: float = 0.0
    """Of one process."""
    reasons: dict[str, int] = field(default_factory=dict)
    """How many rows were dropped or changed for each."""
    examples: list[dict[str, str]] = field(default_factory=list)
    """`origin`, `reason`, `before` and, unless it was dropped, `after`; `like`, the origin of what it was compared with, if
    it was; of each reason in turn. Of a private step neither `before` nor `after`."""
    private: bool = False
    """Whether the step takes out what others are not to see."""

    @property
    def dropped(self) -> int:
        """Rows that do not go on."""
        return self.rows_in - self.rows_out

    def facts(self) -> dict[str, Any]:
        """As JSON; `Report(**facts)` reads it."""
        return asdict(self)

    def watch(self, rows: Iterable[Row], step: Any, known: Mapping[str, Any]) -> Iterator[Row]:
        """The rows that a step leaves; counts what becomes of each."""
        self.private = step.private
        before, given = itertools.tee(rows)
        outcomes = iter(step.apply((dict(row) for row in given), known))
        for row in before:
            outcome = next(outcomes, None)
            if not isinstance(outcome, Outcome):
                what = "no outcome" if outcome is None else f"{outcome!r:.60} in place of an Outcome"
                raise RecipeError(f"{step.name} gives {what} for {row['origin']}: a step gives one for each row")
            self._count(row, outcome)
            if outcome.row is not None:
                yield outcome.row
        if next(outcomes, None) is not None:
            raise RecipeError(f"{step.name} gives more outcomes than there are rows: a step gives one for each")

    def _count(self, row: Row, outcome: Outcome) -> None:
        bytes_ = size(row)
        self.rows_in += 1
        self.bytes_in += bytes_
        if outcome.row is not None:
            self.rows_out += 1
            if outcome.row == row:
                self.bytes_out += bytes_
                return
            self.changed += 1
            self.bytes_out += size(outcome.row)
        for reason in outcome.reasons or ("no reason is given",):
            self._note(reason, row, outcome)

    def _note(self, reason: str, row: Row, outcome: Outcome) -> None:
        """Counts a reason; a bounded number of them are told apart, and of each a few rows are kept."""
        counted = reason if reason in self.reasons or len(self.reasons) < REASONS else OTHERS
        self.reasons[counted] = self.reasons.get(counted, 0) + 1
        if self.reasons[counted] <= SHOWN:
            example = {"origin": str(row["origin"]), "reason": reason}
            example |= {"like": outcome.like} if outcome.like else {}
            self.examples.append(example if self.private else {**example, **_texts(row, outcome)})


def merged(reports: Iterable[Report]) -> Report:
    """One report on the rows of all."""
    total = Report()
    found: list[dict[str, str]] = []
    for one in reports:
        for name in ("rows_in", "rows_out", "changed", "bytes_in", "bytes_out", "seconds"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        for reason, count in one.reasons.items():
            total.reasons[reason] = total.reasons.get(reason, 0) + count
        total.private |= one.private
        found += one.examples
    total.reasons = _bounded(total.reasons)
    total.examples = _chosen(found)
    return total


def size(row: Row) -> int:
    """Bytes of all texts of a row, in UTF-8."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts(row))


def _bounded(reasons: dict[str, int]) -> dict[str, int]:
    """The most frequent first; what is beyond their number is counted together, and comes last."""
    kept = sorted(((name, count) for name, count in reasons.items() if name != OTHERS), key=lambda item: -item[1])
    rest = reasons.get(OTHERS, 0) + sum(count for _, count in kept[REASONS:])
    return dict(kept[:REASONS]) | ({OTHERS: rest} if rest else {})


def _chosen(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """Of each reason in turn, so that the rare ones are seen."""
    groups: dict[str, list[dict[str, str]]] = {}
    for one in found:
        groups.setdefault(one["reason"], []).append(one)
    turns = itertools.zip_longest(*groups.values())
    return [one for turn in turns for one in turn if one is not None][:SHOWN]


def _texts(row: Row, outcome: Outcome) -> dict[str, str]:
    """Where a text changed, before and after, or the beginning of one that was dropped."""
    before = "\n".join(texts(row))
    if outcome.row is None:
        return {"before": before[:LONG]}
    after = "\n".join(texts(outcome.row))
    start = max(0, _first_difference(before, after) - LONG // 3)
    return {"before": before[start : start + LONG], "after": after[start : start + LONG]}


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (mine, its) in pairs if mine != its), min(len(one), len(other)))
