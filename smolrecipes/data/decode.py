"""Text of a file in any encoding: as pieces, as lines of bounded length, or whole; what does not decode is told by its line."""

from __future__ import annotations

import codecs
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from smolrecipes.data.broken import Broken
from smolrecipes.data.source import BUFFER, Source
from smolrecipes.errors import RecipeError

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""The marks that such a file begins with."""
BEGINNING = 8_000
"""Bytes by which text is told from what is none."""
BLOCK = 1 << 20
"""Bytes that are decoded at a time."""
LINE = 50_000_000
"""Bytes, or characters, of the longest line that is read; passages are cut before they get there."""
WHOLE = 1 << 30
"""Bytes of the longest text that is one row, or one list."""
CUT = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""The lines of a text, with their ends: not `splitlines()`, which also cuts at form feeds, at U+2028 and its kin."""
NO_CHARACTER = "\udcff"
"""Stands in for what does not decode, and cannot be decoded either once it is written as UTF-8."""


@contextmanager
def reading(source: Source, encoding: str) -> Iterator[IO[bytes]]:
    """The text of a source, as UTF-8 without the mark that some editors put before it."""
    with source.open() as stream:
        if codecs.lookup(encoding).name != "utf-8":
            stream = io.BufferedReader(_Transcoded(stream, encoding), BUFFER)
        first = stream.peek(BEGINNING)[:BEGINNING]  # type: ignore[attr-defined]
        if b"\0" in first and first[:2] not in UTF_16:
            raise RecipeError(
                f"{source.name} is not text: there are zero bytes in it; name a text file, or give it the extension of what "
                "it is, such as .parquet or .gz"
            )
        if first.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        yield stream


def pieces(stream: IO[bytes], name: str, broken: Broken) -> Iterator[str]:
    """The text bit by bit: whole lines, but for those that are longer than a block."""
    for number, block in _blocks(stream):
        yield _text(block, name, number, broken)


def lines(stream: IO[bytes], name: str, broken: Broken) -> Iterator[tuple[int, str]]:
    """The lines that end in a newline, which they keep, each with its number."""
    number = 0
    while line := stream.readline(LINE + 1):
        number += 1
        try:
            if len(line) > LINE and not line.endswith(b"\n"):
                raise too_long(f"{name}:{number}", len(line) + sum(map(len, _rest(stream))))
            text = decoded(line, name, number)
        except RecipeError as error:
            broken.met(error)
            continue
        yield number, text


def split(parts: Iterable[str], name: str, broken: Broken) -> Iterator[tuple[int, str]]:
    """The lines of a text that comes in parts, with their ends, each with its number."""
    number, length, held, carried = 0, 0, list[str](), ""
    for part in itertools.chain(parts, [None]):
        text = carried + (part or "")
        carried = "\r" if part is not None and text.endswith("\r") else ""  # a newline may follow
        for line in CUT.findall(text[: len(text) - len(carried)]):
            length += len(line)
            if length <= LINE:
                held.append(line)
            if line[-1] in "\r\n":
                number += 1
                yield from _line(held, length, f"{name}:{number}", broken, number)
                length, held = 0, []
    if length:
        yield from _line(held, length, f"{name}:{number + 1}", broken, number + 1)


def whole(parts: Iterable[str], name: str, mend: str) -> str:
    """The text at once; RecipeError where it is too long for that."""
    found, length = [], 0
    for part in parts:
        length += len(part)
        if length > WHOLE:
            raise RecipeError(f"{name} holds more than {WHOLE >> 30} GB, too much to be read at once; {mend}")
        found.append(part)
    return "".join(found)


def decoded(data: bytes, name: str, line: int) -> str:
    """UTF-8 as text; `line` is the number of its first line."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        first, line = line == 1, line + data.count(b"\n", 0, error.start)
        if first and data[:2] in UTF_16:
            raise RecipeError(
                f"{name}:{line}: the file is UTF-16; save it as UTF-8, or read it with data.encoding=utf-16"
            ) from None
        if data[error.start : error.start + 3] == NO_CHARACTER.encode("utf-8", "surrogatepass"):
            raise RecipeError(f"{name}:{line}: not in the encoding that data.encoding says; say which it is") from None
        raise RecipeError(
            f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8, or say what it is with "
            "data.encoding=..."
        ) from None


def too_long(where: str, length: int) -> RecipeError:
    """That a line is longer than any text."""
    return RecipeError(
        f"{where}: the line has {length / 1e6:,.0f} MB, and no more than {LINE / 1e6:,.0f} MB are read; cut it, or remove it"
    )


def _line(held: list[str], length: int, where: str, broken: Broken, number: int) -> Iterator[tuple[int, str]]:
    if length > LINE:
        broken.met(too_long(where, length))
    else:
        yield number, "".join(held)


def _rest(stream: IO[bytes]) -> Iterator[bytes]:
    """What is left of a line."""
    while data := stream.readline(BLOCK):
        yield data
        if data.endswith(b"\n"):
            return


def _blocks(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Bytes that end at a line end, or at least between two characters; with the number of their first line."""
    line, rest = 1, b""
    while data := stream.read1(BLOCK):  # not read(): of a file that is cut off, it would lose what there is
        data = rest + data
        end = data.rfind(b"\n") + 1
        if not end and len(data) >= BLOCK:
            end = max((at for at in range(len(data) - 3, len(data)) if data[at] >= 0xC0), default=len(data))
        if end:
            yield line, data[:end]
            line += data.count(b"\n", 0, end)
        rest = data[end:]
    if rest:
        yield line, rest


def _text(block: bytes, name: str, number: int, broken: Broken) -> str:
    """The text of a block, with empty lines for those that do not decode, where these are left out."""
    try:
        return decoded(block, name, number)
    except RecipeError:
        if not broken.leave_out:
            raise
    kept = []
    for line, data in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", block), number):
        try:
            kept.append(decoded(data, name, line))
        except RecipeError as error:
            broken.met(error)
            kept.append("\n" * data.endswith(b"\n"))  # so that the lines below keep their numbers
    return "".join(kept)


class _Transcoded(io.RawIOBase):
    """Text of another encoding as UTF-8; what does not decode does not in UTF-8 either."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self.stream, self.left, self.ended = stream, b"", False
        self.decoder = codecs.getincrementaldecoder(encoding)("smolrecipes.no_character")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left and not self.ended:
            data = self.stream.read1(BUFFER)  # type: ignore[attr-defined]
            self.ended = not data
            self.left = self.decoder.decode(data, final=self.ended).encode("utf-8", "surrogatepass")
        count = min(len(buffer), len(self.left))
        buffer[:count], self.left = self.left[:count], self.left[count:]
        return count


def _no_character(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return NO_CHARACTER, error.end


codecs.register_error("smolrecipes.no_character", _no_character)
