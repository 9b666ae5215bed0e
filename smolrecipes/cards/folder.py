"""Rows as a folder that `datasets` and the hub read: shards in data/, README.md and card.html; written aside and renamed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from smolrecipes.cards.markdown import header, markdown
from smolrecipes.cards.page import html
from smolrecipes.console import say
from smolrecipes.data.paths import WRITTEN
from smolrecipes.errors import RecipeError
from smolrecipes.files import aside, clear, differs, flush, manifest, write_text

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.cards.card import Card

BYTES = 256 << 20
"""Of a shard, about, unless it is said how many rows it has."""


@dataclass(frozen=True)
class Form:
    """How rows are written."""

    format: str = "parquet"
    """parquet or jsonl."""
    rows: int | None = None
    """Of a shard; None makes shards of about BYTES."""

    def shards(self, rows: Dataset) -> int:
        """How many there are."""
        if self.rows:
            return -(-len(rows) // self.rows)
        return max(1, min(len(rows), round(_bytes(rows) / BYTES)))


def check(folder: Path, force: bool) -> None:
    """RecipeError where something lies there that would be lost; asked before the rows are made, and again before they are put there."""
    if folder.is_file():
        raise RecipeError(f"--out {folder}: it is a file; name a folder")
    if force or not folder.is_dir() or not any(folder.iterdir()):
        return
    if problem := _foreign(folder):
        raise RecipeError(f"--out {folder}: {problem}; name another folder, or --force keeps the old one aside")


def write(folder: Path, splits: Mapping[str, Dataset], made: Card, form: Form, force: bool = False) -> None:
    """Puts rows and card into a folder. One that was written so before is replaced; any other, by force, set aside."""
    folder = folder.expanduser().resolve()
    partial = aside(folder.with_name(f".{folder.name}"))
    clear(folder.parent, f".{escape(folder.name)}~*.partial")  # of one that was killed
    try:
        (partial / "data").mkdir(parents=True)
        for split, rows in splits.items():
            count = form.shards(rows)  # it measures texts
            for number, part in enumerate(_parts(rows, count)):
                _store(part, partial / "data" / f"{split}-{number:05}-of-{count:05}.{form.format}")
        features = next(iter(splits.values())).features._to_yaml_list()
        write_text(partial / "README.md", header(made, features) + markdown(made))
        write_text(partial / "card.html", html(made))
        write_text(partial / WRITTEN, json.dumps(manifest(partial, "data", "README.md", "card.html"), indent=1))
        check(folder, force)
        _replace(folder, partial)
    except OSError as error:
        raise RecipeError(
            f"--out {folder}: cannot be written ({error.strerror or error}); name another folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _foreign(folder: Path) -> str:
    """What is in a folder that was not written here; nothing where all of it was."""
    known = _known(folder)
    if known is None:
        return "it is not empty, and not written by this command"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {WRITTEN}
    if more := sorted(there - known.keys()):
        return f"{more[0]} in it was not written by this command"
    changed = differs(folder, known)
    return f"{changed}, since it was changed by hand" if changed else ""


def _known(folder: Path) -> dict[str, list[Any]] | None:
    """The size and the hash of each file that was written into a folder; None where nothing says so."""
    try:
        found = json.loads((folder / WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and all(isinstance(one, list) and len(one) == 2 for one in found.values())
    return found if whole else None


def _replace(folder: Path, partial: Path) -> None:
    """The new folder in the place of the old one, which is kept where it is not wholly ours."""
    old = None
    if folder.is_dir() and any(folder.iterdir()):
        keep = bool(_foreign(folder))
        old = folder.with_name(f"{folder.name}.{time.strftime('%Y%m%d-%H%M%S')}-{uuid4().hex[:4]}")
        folder.rename(old)
        if keep:
            say(f"what was in {folder} is kept in {old}")
            old = None
        else:
            say(f"what was written to {folder} before is replaced")
    elif folder.is_dir():
        folder.rmdir()
    partial.rename(folder)
    flush(folder.parent)
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _parts(rows: Dataset, count: int) -> Iterator[Dataset]:
    return (rows.shard(count, index, contiguous=True) for index in range(count))


def _store(rows: Dataset, file: Path) -> None:
    import datasets

    from smolrecipes.data.rows import each

    datasets.disable_progress_bars()
    if file.suffix == ".parquet":
        made = BytesIO()  # on a full disk Arrow's own writer would end the whole process
        rows.to_parquet(made)
        file.write_bytes(made.getbuffer())
    else:
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in each(rows))
    flush(file)


def _bytes(rows: Dataset) -> int:
    """Of the text of all rows, by those of a sample."""
    from smolrecipes.profile.lengths import MOST, lengths, spread

    measured = lengths(spread(rows, MOST))
    return measured.bytes * len(rows) // max(1, len(measured.characters))
