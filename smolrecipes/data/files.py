"""Files: rows from one's own files."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.component import Component, option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from datasets import Dataset

    from smolrecipes.data.rows import Row

PART = 16 << 20
"""Bytes of files that are read by one process before it may take others."""


class Files(Data, name="files"):
    """Rows from jsonl, json, csv, tsv, parquet, arrow, conll or text files, also compressed; what they hold is recognised."""

    paths: str | tuple[str, ...] = option(kw_only=False)
    """Files, folders, globs (`data/**/*.jsonl`) or URLs; several as a tuple or with commas between them."""
    columns: dict[str, str] = option(factory=dict)
    """Where rows come from: a column, `{"source": "question"}`, or template, `{"text": "{{ head }}: {{ body }}"}`."""
    rows: Literal["passages", "lines", "files"] = "passages"
    """What a row of plain text is; passages are cut at empty lines and have about 4,000 characters."""
    format: Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "conll", "txt"] | None = None
    """The format of files whose extension does not tell it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", _listed(self.paths))
        super().__post_init__()

    def load(self) -> Dataset:
        from smolrecipes.data.rows import make, row_type

        said: list[str] = []
        rows = self.stream(said)
        first = next(rows)
        loaded = make(row_type(first), itertools.chain([first], rows))
        loaded.info.description = "\n".join(said)
        return loaded

    def stream(self, said: list[str]) -> Iterator[Row]:
        files = self._files()
        if self.rows != "passages" and all(form != "txt" for _, form, _ in files):
            raise RecipeError(f"data.rows={self.rows}: none of the files is plain text; leave it out")
        found: list[tuple[str, int, str]] = []
        yield from self._rows(files, found)
        said.append(_sentence(found))

    def parts(self) -> Sequence[Data]:
        groups: list[list[tuple[Path, str]]] = []
        room = 0
        for path, form, _ in self._files():
            if not groups or room < 0 or (form == "txt") != (groups[-1][0][1] == "txt"):
                groups.append([])
                room = PART
            groups[-1].append((path, form))
            room -= path.stat().st_size
        return [self._part(group) for group in groups]

    def _part(self, group: list[tuple[Path, str]]) -> Data:
        """Some of its files, all plain text or none."""
        rows = self.rows if group[0][1] == "txt" else "passages"
        return self.replace(paths=tuple(str(path) for path, _ in group), rows=rows)

    def identity(self) -> Any:
        """The content of the files in place of their paths: a moved file is the same data."""
        from smolrecipes.data.paths import content_hash

        contents = [[form, content_hash(path)] for path, form, _ in self._files()]
        return {**super().identity(), "paths": contents}

    def _files(self) -> list[tuple[Path, str, str]]:
        """Each file with its format and its short name."""
        from smolrecipes.data.paths import expand, names
        from smolrecipes.data.read import format_of

        files = expand((self.paths,) if isinstance(self.paths, str) else self.paths)
        return [
            (path, self.format or format_of(path.name), name) for path, name in zip(files, names(files), strict=True)
        ]

    def _rows(self, files: list[tuple[Path, str, str]], said: list[tuple[str, int, str]]) -> Iterator[Row]:
        """The canonical rows of all files; appends what each file was found to hold, once it is read."""
        from smolrecipes.data.read import records
        from smolrecipes.data.recognise import SAMPLE, recognise

        kinds: dict[str, str] = {}
        for path, form, name in files:
            if not path.stat().st_size:
                raise RecipeError(f"{name}: the file is empty")
            found = ((f"{name}:{number}", row) for number, row in records(path, name, form, self.rows))
            sample = list(itertools.islice(found, SAMPLE))
            if not sample:
                raise RecipeError(f"{name}: the file holds no rows")
            shape = recognise(sample, name, self.columns)
            kinds[shape.rows] = name
            if len(kinds) > 1:
                both = "; ".join(f"{where} holds {kind} rows" for kind, where in kinds.items())
                raise RecipeError(
                    f"{both}; a recipe reads one type: leave the others out, or map them with data.columns"
                )
            count = 0
            for origin, row in itertools.chain(sample, found):
                count += 1
                yield shape.convert(row, origin)
            plain = form == "txt" and not self.columns
            said.append((name, count, f"{self.rows} of text" if plain else shape.sentence()))


def files_in(part: Component) -> Iterator[Path]:
    """The files that a component reads, also by those inside it."""
    from smolrecipes.data.paths import expand

    if isinstance(part, Files):
        yield from expand((part.paths,) if isinstance(part.paths, str) else part.paths)
    for _, child in part.children():
        yield from files_in(child)


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


def _sentence(said: list[tuple[str, int, str]]) -> str:
    """`a.jsonl: 7,473 rows; question and answer, read as pairs`; files that are read alike share a line."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for name, count, phrase in said:
        groups.setdefault(phrase, []).append((name, count))
    lines = []
    for phrase, files in groups.items():
        shown = ", ".join(name for name, _ in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        lines.append(f"{shown}: {sum(count for _, count in files):,} rows; {phrase}")
    return "\n".join(lines)
