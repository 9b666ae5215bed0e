"""Files: rows from one's own files."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.component import Component, option
from smolrecipes.data.formats import TEXT
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from datasets import Dataset

    from smolrecipes.data.rows import Row

PART = 16 << 20
"""Bytes of files that are read by one process before it may take others."""


class Files(Data, name="files"):
    """Rows from jsonl, json, csv, tsv, parquet, arrow, conll, html or text files, also compressed or in archives; what they
    hold is recognised."""

    paths: str | tuple[str, ...] = option(kw_only=False)
    """Files, folders, globs (`data/**/*.jsonl`) or URLs; several as a tuple or with commas between them. Of a folder that
    `smolrecipes data --out` wrote, the training rows."""
    columns: dict[str, str] = option(factory=dict)
    """Where rows come from: a column, `{"source": "question"}`, or template, `{"text": "{{ head }}: {{ body }}"}`."""
    rows: Literal["passages", "lines", "files"] = "passages"
    """What a row of plain text is; passages are cut at empty lines and have about 4,000 characters."""
    format: Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "conll", "html", "txt"] | None = None
    """The format of files whose extension does not tell it."""
    broken: Literal["stop", "skip"] = option(default="stop", added=True)
    """What is done about broken lines, rows and files: the first is an error, or all are left out, and told."""
    encoding: str = option(default="utf-8", added=True)
    """The encoding of text: utf-8, utf-16, cp1252, ..., or detect, by charset_normalizer, for each file."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", _listed(self.paths))
        super().__post_init__()
        if self.encoding != "utf-8":
            from smolrecipes.data.encodings import check

            check(self.encoding)

    def load(self) -> Dataset:
        from smolrecipes.data.rows import make, row_type

        said: list[str] = []
        rows = self.stream(said)
        first = next(rows, None)
        if first is None:
            raise RecipeError(f"none of the files holds a row: {'; '.join(said)}")
        loaded = make(row_type(first), itertools.chain([first], rows))
        loaded.info.description = "\n".join(said)
        return loaded

    def stream(self, said: list[str]) -> Iterator[Row]:
        from smolrecipes.data.paths import left_out
        from smolrecipes.data.reader import Reader

        files = self._files()
        if self.rows != "passages" and not any(form in (*TEXT, "archive") for _, form, _ in files):
            raise RecipeError(f"data.rows={self.rows}: none of the files is plain text; leave it out")
        reader = Reader(self)
        for file in files:
            yield from reader.file(*file)
        said += [*reader.said(), *left_out((self.paths,) if isinstance(self.paths, str) else self.paths)]

    def parts(self) -> Sequence[Data]:
        groups: list[list[tuple[Path, str]]] = []
        room = 0
        for path, form, _ in self._files():
            if not groups or room < 0 or _sort(form) != _sort(groups[-1][0][1]) or form == "archive":
                groups.append([])
                room = PART
            groups[-1].append((path, form))
            room -= path.stat().st_size
        return [self._part(group) for group in groups]

    def _part(self, group: list[tuple[Path, str]]) -> Data:
        """Some of its files, all plain text or none, or one archive."""
        rows = self.rows if group[0][1] in (*TEXT, "archive") else "passages"
        return self.replace(paths=tuple(str(path) for path, _ in group), rows=rows)

    def identity(self) -> Any:
        """The content of the files in place of their paths: a moved file is the same data."""
        from smolrecipes.data.paths import content_hash

        contents = [[form, content_hash(path)] for path, form, _ in self._files()]
        return {**super().identity(), "paths": contents}

    @property
    def packages(self) -> tuple[str, ...]:
        pages = any(form in ("html", "archive") for _, form, _ in self._files())
        return ("trafilatura",) * pages + ("charset_normalizer",) * (self.encoding == "detect")

    def _files(self) -> list[tuple[Path, str, str]]:
        """Each file with its format and its short name."""
        from smolrecipes.data.formats import format_of
        from smolrecipes.data.paths import expand, names

        files = expand((self.paths,) if isinstance(self.paths, str) else self.paths)
        return [
            (path, self.format or format_of(path.name), name) for path, name in zip(files, names(files), strict=True)
        ]


def files_in(part: Component) -> Iterator[Path]:
    """The files that a component reads, also by those inside it."""
    from smolrecipes.data.paths import expand

    if isinstance(part, Files):
        yield from expand((part.paths,) if isinstance(part.paths, str) else part.paths)
    for _, child in part.children():
        yield from files_in(child)


def together(sources: Sequence[Component]) -> AbstractContextManager[None]:
    """Meanwhile files of one name are told apart over all of these."""
    from smolrecipes.data.paths import told_apart

    return told_apart([file for data in sources if len(sources) > 1 for file in files_in(data)])


def _sort(form: str) -> str:
    """What is read together: plain text, archives, or the rest."""
    return "text" if form in TEXT else form if form == "archive" else "rows"


def _listed(paths: Any) -> Any:
    """One path as text, several as a tuple, whichever way they were given."""
    if isinstance(paths, os.PathLike):
        paths = os.fspath(paths)
    if isinstance(paths, str) and "," in paths and "://" not in paths and not os.path.exists(paths):
        paths = tuple(filter(None, (path.strip() for path in paths.split(","))))
    if isinstance(paths, (list, tuple)):
        paths = tuple(os.fspath(path) if isinstance(path, os.PathLike) else path for path in paths)
        if not paths:
            raise RecipeError('Files.paths: no file is named, as in Files("prefs.jsonl")')
        return paths[0] if len(paths) == 1 else paths
    return paths
