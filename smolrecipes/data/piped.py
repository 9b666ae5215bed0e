"""Piped: the rows of a source after steps of preparation, as `Files(...).pipe(FixText(), DropDuplicates())`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data, Transform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset


class Piped(Data, name="piped"):
    """Rows of a source after steps of preparation. Each step is kept by its content: only what follows a change runs again."""

    source: Data | str = option(kw_only=False)
    """Where the rows come from."""
    steps: tuple[Transform, ...] = option(kw_only=False)
    """What is done to them, one after the other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.steps:
            raise RecipeError("Piped.steps: name at least one step, as in Files('a.jsonl').pipe(DropDuplicates())")

    def pipe(self, *steps: Transform) -> Data:
        """The same source, with further steps."""
        checked: Any = super().pipe(*steps)
        return self.replace(steps=(*self.steps, *checked.steps))

    def load(self) -> Dataset:
        from smolrecipes.pipeline.stages import prepared

        return prepared(self).load()

    def stream(self, said: list[str]) -> Iterator[dict[str, Any]]:
        from smolrecipes.pipeline.shards import rows
        from smolrecipes.pipeline.stages import prepared

        stage = prepared(self)
        for shard in stage.shards:
            yield from rows(shard)
        said += stage.said

    @property
    def origin(self) -> Data:
        """The source, once it is known what it is."""
        if isinstance(self.source, str):
            raise RecipeError(
                f"piped.source: a recipe finds out what '{self.source}' is; elsewhere give a component, as Files(...)"
            )
        return self.source
