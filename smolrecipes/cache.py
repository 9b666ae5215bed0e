"""What is made once and kept by its content: written whole or not at all, read as a memory map."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.console import is_first
from smolrecipes.errors import RecipeError
from smolrecipes.files import aside, clear
from smolrecipes.launch import agreed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from datasets import Dataset


PLACE = Path("runs", ".cache")
"""Where prepared data is kept, unless a run says otherwise."""
_place: ContextVar[Path] = ContextVar("_place", default=PLACE)


def place() -> Path:
    """Where prepared data is kept: beside the runs. Absolute, since other machines have to find it from other folders."""
    return _place.get().absolute()


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Meanwhile prepared data is kept in this folder."""
    token = _place.set(folder)
    try:
        yield
    finally:
        _place.reset(token)


def cached(folder: Path, name: str, parts: Callable[[], list[str]], make: Callable[[], Dataset]) -> Dataset:
    """What `make` makes, kept under the hash of `parts` and of the code that makes it.

    The first process makes it under the name that all agree on; the others wait for the file.
    """
    from datasets import Dataset

    target = folder / agreed(f"{name}-{_key(parts())}.arrow" if is_first() else "")
    if is_first() and not target.exists():
        _write(make(), target)
    while not target.exists():  # the launcher ends this process if the first one fails
        time.sleep(0.2)
    return Dataset.from_file(str(target))


def content(rows: Dataset) -> str:
    """The hash of the rows themselves, wherever they came from."""
    digest = hashlib.sha256(repr(rows.features).encode())
    for part in rows.with_format("arrow").iter(10_000):
        for batch in part.replace_schema_metadata(None).combine_chunks().to_batches():
            digest.update(batch.serialize())
    return digest.hexdigest()


def _key(parts: list[str]) -> str:
    return hashlib.sha256(chr(0).join([*parts, _code()]).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _code() -> str:
    """The hash of what turns rows into examples: conversations, objectives, the versions of the tokenizers below them."""
    digest = hashlib.sha256(f"{version('transformers')} {version('tokenizers')}".encode())
    package = Path(__file__).parent
    found = [file for folder in ("conversation", "objectives") for file in sorted((package / folder).glob("*.py"))]
    for file in (package / "prepare.py", package / "workers.py", *found):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _write(made: Dataset, target: Path) -> None:
    """Beside the target first: a torn file is never taken for a whole one, and of two writers either is right."""
    import pyarrow as pa

    partial = aside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clear(target.parent)
        with partial.open("wb") as file:
            with pa.ipc.new_stream(file, made.features.arrow_schema) as stream:
                for part in made.with_format("arrow").iter(1_000):
                    stream.write_table(part)
            file.flush()
            os.fsync(file.fileno())
        if not target.exists():  # another run may have made the same meanwhile, and be reading it
            partial.replace(target)
    except OSError as error:
        raise RecipeError(
            f"{target.parent}: cannot write there ({error.strerror or error}); mend it, or name another with --runs"
        ) from None
    finally:
        if partial.exists():
            partial.unlink()
