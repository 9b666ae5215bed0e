"""Files in archives: read where they lie, never unpacked to where their names say."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from smolrecipes.data.broken import Broken
from smolrecipes.data.formats import format_of, is_archive, is_data
from smolrecipes.data.source import ERRORS, Source, in_proportion, unpacked, unreadable
from smolrecipes.errors import RecipeError

COMPRESSIONS = {".tgz": ".gz", ".tbz2": ".bz2", ".txz": ".xz", ".tar": ""}


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    wrong: str
    """Why it is not read, if it is not."""
    open: Any
    once: bool = False


def sources(path: Path, name: str, form: str | None, broken: Broken, notes: list[str]) -> Iterator[Source]:
    """The data files of an archive, each to be read before the next; `form` is what all are read as, where it is given."""
    left: dict[str, list[str]] = {}
    unpacks, size = 0, path.stat().st_size
    for member in _members(path, name, broken):
        where = f"{name}/{PurePosixPath(member.name)}"
        if wrong := _leaves(member.name) or member.wrong:
            broken.met(RecipeError(f"{where}: {wrong}; it is not read; make the archive without it"))
        elif any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member.name).parts):
            continue
        elif why := _no_data(member.name, form):
            left.setdefault(why, []).append(member.name)
        else:
            in_proportion(name, unpacks := unpacks + member.size, size)
            opened = partial(_opened, member, where, size)
            yield Source(where, form or format_of(member.name), member.size, opened, once=member.once)
    notes += [_left(name, why, names) for why, names in left.items()]


def _opened(member: Member, where: str, size: int) -> IO[bytes]:
    try:
        return unpacked(member.open(), member.name, where, max(size, member.size))
    except (RuntimeError, NotImplementedError) as error:  # how zipfile says that it does not know a method
        raise unreadable(where, error) from None


def _no_data(name: str, form: str | None) -> str:
    """Why a file is not data, or nothing."""
    if is_archive(name) or name.lower().endswith(".zip"):
        return "archives in an archive"
    return "" if form or is_data(name) else "of no format that is read, or about the data"


def _leaves(name: str) -> str:
    """What is wrong with a name that leads out of the archive, or nothing."""
    parts = name.replace("\\", "/").split("/")
    return "its name leads out of the archive" if ".." in parts or not parts[0] or parts[0].endswith(":") else ""


def _left(name: str, why: str, names: list[str]) -> str:
    """`corpus.zip: 2 files are not read (archives in an archive): a.zip, b.tar`."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    number = "1 file is" if len(names) == 1 else f"{len(names):,} files are"
    return f"{name}: {number} not read ({why}): {', '.join(names[:3])}{more}"


def _members(path: Path, name: str, broken: Broken) -> Iterator[Member]:
    try:
        yield from (_of_zip(path) if path.suffix.lower() == ".zip" else _of_tar(path, name))
    except ERRORS as error:
        broken.met(unreadable(name, error))


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            if item.is_dir():
                continue
            link = stat.S_ISLNK(item.external_attr >> 16)
            wrong = "it is a link" if link else "it is encrypted" if item.flag_bits & 1 else ""
            yield Member(item.filename, item.file_size, wrong, partial(archive.open, item))


def _of_tar(path: Path, name: str) -> Iterator[Member]:
    suffix = path.suffix.lower()
    plain = unpacked(path.open("rb"), f"tar{COMPRESSIONS.get(suffix, suffix)}", name, path.stat().st_size)
    forward: Any = _Forward(plain)
    with closing(plain), tarfile.open(fileobj=forward, mode="r:", tarinfo=_Info) as archive:
        while (item := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # it would keep them all
            if item.isdir():
                continue
            wrong = "" if item.isreg() and not item.issparse() else "it is a link, a device or full of holes"
            yield Member(item.name, item.size, wrong, partial(archive.extractfile, item), once=True)
        if not getattr(archive, "ended", False):
            raise tarfile.ReadError("it breaks off, or a header in it is broken")


class _Info(tarfile.TarInfo):
    """Tells the archive that its end was seen: tarfile takes a broken header for the end as well."""

    @classmethod
    def fromtarfile(cls, archive: Any) -> Any:
        """The next header."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            archive.ended = True
            raise


class _Forward:
    """A stream for tarfile, which goes forward and knows where it is; a header as large as a bomb is not read."""

    LARGEST = 16 << 20

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.at = stream, 0

    def read(self, size: int) -> bytes:
        """So many bytes, or those that are left."""
        if size > self.LARGEST:
            raise tarfile.ReadError(f"a header or a piece of {size:,} bytes is too large")
        data = self.stream.read(size)
        self.at += len(data)
        return data

    def tell(self) -> int:
        """How many bytes were read."""
        return self.at

    def seek(self, place: int) -> None:
        """Reads on to a place."""
        if place < self.at:
            raise tarfile.ReadError("it would have to be read backwards")
        while self.at < place and self.read(min(1 << 18, place - self.at)):
            pass

    def seekable(self) -> bool:
        """No: forward only."""
        return False
