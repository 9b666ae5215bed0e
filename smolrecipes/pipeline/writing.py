"""Writing what is prepared: where that fails, it is said of the folder, and of nothing else that fails meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smolrecipes.errors import RecipeError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """RecipeError where something cannot be written below a folder, on a full disk say. Nothing is read or computed within."""
    try:
        yield
    except OSError as error:
        raise RecipeError(
            f"{folder}: cannot be written ({error.strerror or error}); what is done is kept, and the same command goes on"
        ) from error
