"""A file, or a file in an archive, and how its bytes are had: uncompressed, within bounds, more than once."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import IO, Any

from smolrecipes.data.broken import TooLarge
from smolrecipes.data.formats import COMPRESSED
from smolrecipes.errors import RecipeError

RATIO = 200
"""How many times its own size a file may unpack to: text gets 3 to 20 times smaller, and one that gets 1,000 is a bomb."""
FREE = 64 << 20
"""Bytes that anything may unpack to, whatever its ratio."""
BUFFER = 1 << 18
PIECE = 1 << 14
"""Bytes unpacked at a time: of a file that breaks off, what there is of the last piece is lost."""
ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
"""What the readers of the standard library raise for files that are not whole, or not what they are called."""


@dataclass(frozen=True)
class Source:
    """One file to read."""

    name: str
    """What errors call it: `a.jsonl`, `corpus.zip/a.jsonl`."""
    form: str
    size: int
    """Bytes, as it is stored."""
    open: Callable[[], IO[bytes]]
    """Its bytes, uncompressed."""
    path: Path | None = None
    """Where these bytes lie as they are."""
    once: bool = False
    """Whether it can be opened only once, being a part of a stream."""

    def again(self) -> Source:
        """Itself where it can be opened as often as one likes, else a copy without a name on disk."""
        return self.copied() if self.once else self

    def copied(self) -> Source:
        """A copy on disk, without a name; it is gone with its last reader."""
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - readers share it
        with self.open() as stream:
            shutil.copyfileobj(stream, copy, BUFFER)
        copy.flush()
        return replace(self, open=lambda: io.BufferedReader(_Shared(copy), BUFFER), once=False)


class _Shared(io.RawIOBase):
    """One reader of several of a file that has no name to open it by."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        end = self.file.seek(0, os.SEEK_END)
        self.at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: end}[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: Any) -> int:
        self.file.seek(self.at)
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)


def file(path: Path, name: str, form: str) -> Source:
    """A file on disk."""
    plain = path.suffix.lower() not in COMPRESSED
    return Source(name, form, path.stat().st_size, lambda: opened(path, name), path if plain else None)


def opened(path: Path, name: str) -> IO[bytes]:
    """The file's bytes, uncompressed."""
    suffix = path.suffix.lower()
    if suffix not in COMPRESSED:
        return path.open("rb")
    if suffix == ".zip":
        return within(_zipped(path, name), name, path.stat().st_size)
    return unpacked(path.open("rb"), path.name, name, path.stat().st_size)


def unpacked(raw: IO[bytes], file: str, name: str, size: int) -> IO[bytes]:
    """What a stream of `size` bytes holds, uncompressed as the file's extension says."""
    openers: dict[str, Any] = {".gz": _gzip, ".bz2": bz2.BZ2File, ".xz": lzma.LZMAFile, ".zst": _zstd}
    opener = openers.get(PurePath(file).suffix.lower())
    return within(opener(raw), name, size, raw) if opener else within(raw, name, size)


def within(inner: Any, name: str, size: int, *below: IO[bytes]) -> IO[bytes]:
    """What is uncompressed of `size` bytes, as long as it is in proportion; `below` are closed with it."""
    return io.BufferedReader(_Within(inner, name, size, below), BUFFER)


def in_proportion(name: str, count: int, size: int) -> None:
    """TooLarge for a file of `size` bytes in which there are too many."""
    if count > FREE and count > RATIO * size:
        raise TooLarge(
            f"{name} unpacks to more than {RATIO} times its {size:,} bytes, as a zip bomb does; where that is meant, "
            "unpack it and name what is in it"
        )


def unreadable(name: str, error: Exception) -> RecipeError:
    """What a reader of the standard library says of a file, in a sentence."""
    what = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return RecipeError(f"{name} cannot be read: {what}; is it complete, and what its extension says?")


class _Within(io.RawIOBase):
    """Counts what comes; it goes forward only, which is enough for tarfile."""

    def __init__(self, inner: Any, name: str, size: int, below: tuple[IO[bytes], ...]) -> None:
        self.inner, self.name, self.size, self.below, self.count = inner, name, size, below, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.inner.read1(min(len(buffer), PIECE))
        buffer[: len(data)] = data
        self.count += len(data)
        in_proportion(self.name, self.count, self.size)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            for stream in (self.inner, *self.below):
                stream.close()
        super().close()


def _gzip(raw: IO[bytes]) -> Any:
    return gzip.GzipFile(fileobj=raw)


def _zstd(raw: IO[bytes]) -> Any:
    import pyarrow as pa  # it brings zstandard along, which Python has only from 3.14 on

    return pa.CompressedInputStream(raw, "zstd")


def _zipped(path: Path, name: str) -> Any:
    """The one file in a .zip whose name tells its format."""
    archive = zipfile.ZipFile(path)
    inside = [item for item in archive.infolist() if not item.is_dir() and not item.filename.startswith("__MACOSX/")]
    if len(inside) != 1:
        raise RecipeError(
            f"{name} holds {len(inside)} files, not one; unpack it and name the files, or the folder, or call it "
            f"{name.split('.')[0]}.zip, and all are read"
        )
    if inside[0].flag_bits & 1:
        raise RecipeError(f"{name} is encrypted; unpack it, and name what is in it")
    try:
        return archive.open(inside[0])
    except NotImplementedError as error:
        raise unreadable(name, error) from None
