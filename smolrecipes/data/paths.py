"""What the paths of `Files` stand for: files, folders, globs and URLs, and the hash of what they hold."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from smolrecipes.data.formats import FORMATS, is_data
from smolrecipes.errors import RecipeError, nearest

WRITTEN = ".smolrecipes.json"
"""What `smolrecipes data --out` puts into a folder that it writes: the size and the hash of each of its files."""


def expand(paths: Sequence[str]) -> list[Path]:
    """The files in the given order, those of a glob or folder sorted; RecipeError for none, or for one given twice."""
    found: dict[tuple[str, int, int], Path] = {}
    for path in paths:
        for file in _files(path):
            status = file.stat()
            same = file.name, status.st_dev, status.st_ino
            if same in found:
                raise RecipeError(f"{file} is given twice; name it once, or weigh it with Mix")
            found[same] = file
    return [*found.values()]


_beside: ContextVar[tuple[Path, ...]] = ContextVar("_beside", default=())


@contextmanager
def told_apart(files: Iterable[Path]) -> Iterator[None]:
    """Meanwhile `names` tells files apart from these as well: a recipe's rows may come of several components."""
    token = _beside.set((*_beside.get(), *files))
    try:
        yield
    finally:
        _beside.reset(token)


def beside() -> tuple[Path, ...]:
    """The files that names are told apart from now."""
    return _beside.get()


def names(files: Sequence[Path]) -> list[str]:
    """A short name for each file: its own, or the path below their common folder where another has the same."""
    full = [file.absolute() for file in files]
    everything = {*full, *(file.absolute() for file in _beside.get())}
    often = Counter(file.name for file in everything)
    try:
        common = os.path.commonpath(everything) if max(often.values(), default=0) > 1 else ""
    except ValueError:  # on different drives
        common = ""
    return [path.name if often[path.name] == 1 else _below(path, common) for path in full]


def _below(path: Path, folder: str) -> str:
    return (path.relative_to(folder) if folder else path).as_posix()


def left_out(paths: Sequence[str]) -> list[str]:
    """A sentence for each folder of ours in which other rows than the training rows lie."""
    ours = [
        folder for folder in map(Path, paths) if "://" not in str(folder) and (folder.expanduser() / WRITTEN).exists()
    ]
    told = []
    for folder in ours:
        here = folder.expanduser()
        splits = {file.name.partition("-")[0] for file in (here / "data").glob("*-*") if file not in _written(here)}
        told += [f"{folder}: the training rows alone; {', '.join(sorted(splits))} is left out"] * bool(splits)
    return told


def content_hash(file: Path) -> str:
    """The SHA-256 of the file's bytes, computed once for each path, size and time of change."""
    status = file.stat()
    return _hashed(str(file.absolute()), status.st_size, status.st_mtime_ns)


@functools.cache
def _hashed(path: str, size: int, changed: int) -> str:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from None
    return found.hexdigest()


def _files(path: str) -> list[Path]:
    if "://" in path:
        from smolrecipes.data.urls import fetched

        return fetched(path)
    here = Path(path).expanduser()
    if here.is_dir():
        return _folder(here)
    if here.exists():
        return [here]
    if not glob.has_magic(path):
        raise RecipeError(_missing(here))
    matches = sorted(Path(match) for match in glob.glob(str(here), recursive=True))
    if files := [match for match in matches if match.is_file()]:
        return files
    raise RecipeError(f"{path}: no file matches, looking from {Path.cwd()}")


def _folder(folder: Path) -> list[Path]:
    """The data files anywhere below; a dataset that `save_to_disk` wrote is its Arrow files, one of ours the training rows."""
    if (folder / "state.json").exists() and (folder / "dataset_info.json").exists():
        return sorted(folder.glob("*.arrow"))
    if (folder / WRITTEN).exists():  # its card is no data, though it is a page of text
        return _written(folder)
    inside = (file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file())
    shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
    files = [folder / file for file in shown if is_data(file.name)]
    if not files:
        raise RecipeError(
            f"{folder} is a folder without data files; they end in {', '.join(FORMATS)}; name archives one by one"
        )
    return files


def _written(folder: Path) -> list[Path]:
    """Of a folder of ours the training rows: those that were held out stay so, unless their files are named."""
    found = [file for file in sorted((folder / "data").glob("*")) if is_data(file.name) and file.name[0] != "."]
    if not found:
        raise RecipeError(f"{folder}: its data/ holds no rows; write it again with 'smolrecipes data ... --out'")
    return [file for file in found if file.name.startswith("train-")] or found


def _missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"{path}: there is no folder {path.parent}, looking from {Path.cwd()}"
    if path.is_symlink():
        return f"{path}: it is a link to {path.readlink()}, which is not there"
    there = sorted(item.name for item in path.parent.iterdir())
    hint = nearest(path.name, there)
    return f"{path}: no such file in {path.parent.absolute()}{hint}"
