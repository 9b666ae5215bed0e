"""What the paths of `Files` stand for: files, folders, globs and URLs, and the hash of what they hold."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from smolrecipes.data.read import COMPRESSED, FORMATS
from smolrecipes.errors import RecipeError, nearest

WRITTEN = ".smolrecipes.json"
"""What `smolrecipes data --out` puts into a folder that it writes: the size and the hash of each of its files."""


def expand(paths: Sequence[str]) -> list[Path]:
    """The files in the given order, those of a glob or folder sorted; RecipeError for none, or for one given twice."""
    found: list[Path] = []
    for path in paths:
        for file in _files(path):
            if any(file.samefile(other) for other in found if file.name == other.name):
                raise RecipeError(f"{file} is given twice; name it once, or weigh it with Mix")
            found.append(file)
    return found


_beside: ContextVar[tuple[Path, ...]] = ContextVar("_beside", default=())


@contextmanager
def told_apart(files: Iterable[Path]) -> Iterator[None]:
    """Meanwhile `names` tells files apart from these as well: a recipe's rows may come of several components."""
    token = _beside.set((*_beside.get(), *files))
    try:
        yield
    finally:
        _beside.reset(token)


def names(files: Sequence[Path]) -> list[str]:
    """A short name for each file: its own, or the path below their common folder where two have the same."""
    own, full = [file.name for file in files], [file.absolute() for file in files]
    everything = {*full, *(file.absolute() for file in _beside.get())}
    often = Counter(file.name for file in everything)
    if all(often[name] == 1 for name in own):
        return own
    try:
        common = os.path.commonpath(everything)
    except ValueError:  # on different drives
        return [path.as_posix() for path in full]
    return [path.relative_to(common).as_posix() for path in full]


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
        return [Path(_downloaded(path))]
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
    """The data files anywhere below; a dataset that `save_to_disk` wrote is its Arrow files, one of ours what is in data/."""
    if (folder / "state.json").exists() and (folder / "dataset_info.json").exists():
        return sorted(folder.glob("*.arrow"))
    if (folder / WRITTEN).exists():  # its card is no data, though it is a page of text
        return sorted((folder / "data").iterdir())
    inside = (file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file())
    shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
    files = [folder / file for file in shown if _is_data(file)]
    if not files:
        raise RecipeError(f"{folder} is a folder without data files; they end in {', '.join(FORMATS)}")
    return files


def _is_data(file: Path) -> bool:
    inner = file.with_suffix("") if file.suffix.lower() in COMPRESSED else file
    return inner.suffix.lower() in FORMATS and file.stem.upper() not in ("README", "LICENSE", "LICENCE", "CHANGELOG")


def _missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"{path}: there is no folder {path.parent}, looking from {Path.cwd()}"
    if path.is_symlink():
        return f"{path}: it is a link to {path.readlink()}, which is not there"
    there = sorted(item.name for item in path.parent.iterdir())
    hint = nearest(path.name, there)
    return f"{path}: no such file in {path.parent.absolute()}{hint}"


@functools.cache
def _downloaded(url: str) -> str:
    """A copy of what the URL holds, made once in this process and removed at its end."""
    import shutil

    folder = _scratch()
    target = (
        Path(folder.name)
        / hashlib.sha256(url.encode()).hexdigest()[:8]
        / url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    )
    target.parent.mkdir(exist_ok=True)
    try:
        with _stream(url) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except (OSError, ValueError, ImportError) as error:
        raise RecipeError(f"{url} cannot be fetched: {error}; is the address right, and is there a network?") from None
    return str(target)


def _stream(url: str) -> Any:
    """A binary stream, of whichever library opens it."""
    if url.startswith(("http://", "https://")):  # fsspec would need aiohttp for these
        from urllib.request import urlopen

        return urlopen(url, timeout=60)
    import fsspec

    return fsspec.open(url, "rb")


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="smolrecipes-")
