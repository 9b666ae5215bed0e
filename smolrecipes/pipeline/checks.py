"""Whether a step can do its work at all."""

from __future__ import annotations

from pathlib import Path

from smolrecipes.data.rows import row_type
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Transform
from smolrecipes.pipeline.shards import read


def check_asked(step: Transform) -> None:
    """RecipeError for a step of which a part would never be called."""
    own = [
        name
        for name in ("survey", "narrow", "inspect", "decide")
        if getattr(type(step), name) is not getattr(Transform, name)
    ]
    for name, needed in (("narrow", "inspect"), ("inspect", "survey"), ("decide", "survey")):
        if name in own and needed not in own:
            raise RecipeError(
                f"{step.name} has `{name}` and no `{needed}`, without which it is never asked; add `{needed}`, or leave it out"
            )


def check_rows(step: Transform, shard: Path) -> None:
    """RecipeError where a step reads no rows of the type that a shard has."""
    kind = row_type(read(shard))
    if step.rows and kind not in step.rows:
        raise RecipeError(
            f"{step.name} reads {' or '.join(step.rows)} rows, and these are {kind} rows; leave the step out"
        )
