"""Data and the steps of its preparation."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from smolrecipes.component import Component
from smolrecipes.errors import RecipeError, needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from datasets import Dataset
    from numpy.typing import NDArray

    Facts = Mapping[str, NDArray[Any]]


class Data(Component, kind="data"):
    """Rows, each of one of the row types (see `smolrecipes.data.rows`)."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Those that decide what is read, by the names that they are imported by: their versions count as its content does."""
        return ()

    @abstractmethod
    def load(self) -> Dataset:
        """Rows with canonical columns and `origin`, which says where a row came from (`prefs.jsonl:17`)."""

    def stream(self, said: list[str]) -> Iterator[dict[str, Any]]:
        """The rows one by one, without holding them all where that can be; `said` collects how they were read."""
        from smolrecipes.data.rows import each

        rows = self.load()
        yield from each(rows)
        said += filter(None, [rows.info.description])

    def parts(self) -> Sequence[Data]:
        """Itself in pieces whose rows, one after the other, are its own: they can be read at the same time."""
        return (self,)

    def pipe(self, *steps: Transform) -> Data:
        """Its rows after these steps, each of which takes what the one before leaves."""
        from smolrecipes.data.piped import Piped

        for step in steps:
            if isinstance(step, type) and issubclass(step, Transform):
                raise RecipeError(f"pipe: a step is made, not named: write {step.__name__}() for {step.__name__}")
            if not isinstance(step, Transform):
                raise RecipeError(f"pipe: takes steps such as FixText(), one after the other, not {step!r:.60}")
        return Piped(self, steps)


class Outcome(NamedTuple):
    """What became of a row in a step."""

    row: dict[str, Any] | None
    """As it goes on, changed or not; None where it is dropped."""
    reasons: tuple[str, ...] = ()
    """Why it was dropped, or what was changed in it: the report counts them."""
    like: str = ""
    """The origin of what it was found to be like, where it was compared: the report's examples show it."""


class Transform(Component, kind="transform"):
    """One step of data preparation: rows in, rows out, and what became of each.

    A step that looks at each row by itself is its `treat`. One that has to know all rows (what was there before, how many
    there are) first takes a `survey` of each shard, then `decide`s once for all, and then goes over the rows again. Where a
    survey that is small cannot tell enough, `narrow` chooses what is then to be inspected, and that is decided on.
    """

    rows: ClassVar[tuple[str, ...]] = ()
    """The row types that it reads; any, where there are none."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Those that only some steps need, by the names that they are imported by: their versions count as its code does."""
    private: ClassVar[bool] = False
    """Whether it takes out what others are not to see: reports of it and cards of its rows show no texts."""

    def check(self) -> None:
        """RecipeError where it cannot run, for want of a package say; asked before anything is read."""
        for package in self.packages:
            needs(package, self.name)

    def treat(self, row: dict[str, Any]) -> Outcome:
        """What becomes of one row; it may be changed in place no deeper than its own keys."""
        raise NotImplementedError(f"{type(self).__name__} has neither `treat` nor `apply`")

    def survey(self, rows: Iterable[dict[str, Any]]) -> Facts:
        """What has to be known of the rows of one shard: arrays by name, small beside the rows."""
        return {}

    def narrow(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """Of each shard, what `inspect` has to know: which of its rows are in question, by the surveys of all."""
        return surveys

    def inspect(self, rows: Iterable[dict[str, Any]], known: Facts) -> Facts:
        """A closer survey of the rows in question of one shard, for `decide` in place of the first one."""
        return known

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        """What `apply` has to know of each shard, from the surveys of all, in their order."""
        return surveys

    def apply(self, rows: Iterable[dict[str, Any]], known: Facts) -> Iterator[Outcome]:
        """The outcome of each row of a shard, in their order; `known` is what was decided for that shard."""
        return map(self.treat, rows)
