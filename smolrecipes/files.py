"""Files that are whole or not there: written aside, flushed, renamed."""

from __future__ import annotations

import os
import platform
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 20
"""Bytes that are read at a time."""
DAY = 24 * 60 * 60
"""Seconds after which a file that was begun is nobody's."""


def write_text(file: Path, text: str) -> None:
    """Puts a text into a file, so that a kill or a power cut leaves the old one or the new one and never a part."""
    with whole(file) as partial:
        partial.write_text(text, encoding="utf-8")
    flush(file.parent)


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A file of this writer alone, which takes the place of `file` when it is written, and is gone where that failed."""
    partial = aside(file)
    try:
        yield partial
        flush(partial)
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def aside(target: Path) -> Path:
    """Where that is written which will take the place of a file or folder: a name of this writer alone."""
    return target.with_name(f"{target.name}~{platform.node()}~{os.getpid()}~{uuid4().hex[:8]}.partial")


def clear(folder: Path, pattern: str = "*.partial") -> None:
    """Removes from a folder what was begun and is written no more."""
    for left in filter(abandoned, folder.glob(pattern)):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def abandoned(partial: Path) -> bool:
    """Whether nobody writes it any more: its process has left this machine, or it is older than a day."""
    _, *writer = partial.stem.rsplit("~", 3)
    if os.name != "nt" and len(writer) == 3 and writer[0] == platform.node():
        try:
            os.kill(int(writer[1]), 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # somebody else's
            return False
    return partial.exists() and time.time() - partial.stat().st_mtime > DAY


def append(file: Path, text: str) -> None:
    """Adds whole lines to a file, all or none, below what it holds, whether that ends its last line or not."""
    size = file.stat().st_size if file.exists() else 0
    try:
        with file.open("ab+") as stream:
            stream.seek(max(size - 1, 0))
            begun = stream.read(1) not in (b"", b"\n")
            stream.write((b"\n" if begun else b"") + text.encode("utf-8", "replace"))
    except OSError:
        with suppress(OSError):
            os.truncate(file, size)
        raise


def refused(write: Callable[[], object]) -> str | None:
    """Why something could not be written, as on a full disk; None where it was. Other errors go on as they are."""
    try:
        write()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    except RuntimeError as error:  # which torch's writer says where a disk is full, and much else says as well
        if not any(word in str(error) for word in ("PytorchStreamWriter", "inline_container", "unexpected pos")):
            raise
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        return str(error)
    return None


def flush(path: Path) -> None:
    """Onto the disk; a folder too, so that the names in it survive a power cut (Windows has no such thing)."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def manifest(folder: Path, *parts: str) -> dict[str, list[Any]]:
    """Of every file below these parts of a folder its bytes and its SHA-256."""
    found = [path for part in parts for path in (folder / part, *(folder / part).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): [path.stat().st_size, digest(path)] for path in sorted(found)}


def differs(folder: Path, known: dict[str, list[Any]]) -> str:
    """What is wrong with the first file that is not as a manifest says, or nothing."""
    for name, (size, written) in known.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size:,} bytes of {size:,}"
        try:
            if digest(file) != written:
                return f"{name} is not what was written"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    return ""


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    import hashlib

    found = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()
