"""Files at URLs: http(s), and whatever fsspec reads (`s3://`, `gs://`, `hf://`, `file://`), copied here once in a process."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from smolrecipes.data.formats import FORMATS, is_data
from smolrecipes.errors import RecipeError


def fetched(url: str) -> list[Path]:
    """The files that a URL stands for: one, those that its glob (`*`, `[...]`) fits, or those of a folder."""
    return [Path(_copied(one)) for one in _expanded(url)]


def is_copy(path: str) -> bool:
    """Whether a file was copied here from a URL, for this process alone."""
    return bool(_scratch.cache_info().currsize) and Path(path).is_relative_to(_scratch().name)


@functools.cache
def _expanded(url: str) -> tuple[str, ...]:
    if url.startswith(("http://", "https://")):  # there is no listing of these
        return (url,)
    found: tuple[str, ...] = _asked(url, _listed)
    if not found:
        raise RecipeError(f"{url}: no file matches, or the folder holds none that ends in {', '.join(FORMATS)}")
    return found


def _listed(url: str) -> tuple[str, ...]:
    from fsspec.core import url_to_fs

    files, path = url_to_fs(url)
    if "*" in path or ("[" in path and not files.exists(path)):
        found = [one for one, what in sorted(files.glob(path, detail=True).items()) if what["type"] == "file"]
    elif files.isdir(path):
        found = [one for one in sorted(files.find(path)) if is_data(one)]
    else:
        return (url,)
    return tuple(files.unstrip_protocol(one) for one in found)


@functools.cache
def _copied(url: str) -> str:
    """A copy of what the URL holds, made once in this process and removed at its end."""
    import shutil

    name = PurePosixPath(url.split("?")[0]).name.replace("..", "_") or "data"
    target = Path(_scratch().name) / hashlib.sha256(url.encode()).hexdigest() / name
    target.parent.mkdir(exist_ok=True)

    def copy(url: str) -> None:
        with _stream(url) as source, target.open("wb") as copied:
            shutil.copyfileobj(source, copied, 1 << 20)
            whole, got = getattr(source, "headers", {}).get("Content-Length"), copied.tell()
        if whole and got != int(whole):  # which urllib does not mind
            raise OSError(f"it broke off after {got:,} of {int(whole):,} bytes")

    _asked(url, copy)
    return str(target)


def _asked(url: str, what: Any) -> Any:
    """What is done with a URL, and a sentence for whatever goes wrong in the library that opens it."""
    try:
        return what(url)
    except RecipeError:
        raise
    except Exception as error:  # each of fsspec's libraries has errors of its own
        why = " ".join(str(error).split()) or type(error).__name__
        raise RecipeError(f"{url} cannot be fetched: {why}; is the address right, and is there a network?") from None


def _stream(url: str) -> Any:
    """A binary stream, of whichever library opens it."""
    if url.startswith(("http://", "https://")):  # fsspec would need aiohttp for these
        from urllib.request import urlopen

        return urlopen(url, timeout=60)
    import fsspec

    return fsspec.open(url, "rb", expand=False)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="smolrecipes-")
