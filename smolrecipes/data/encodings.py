"""Which encoding a text is in: as it is asked for, or found out by charset_normalizer."""

from __future__ import annotations

import codecs

from smolrecipes.data.decode import BLOCK, UTF_16
from smolrecipes.data.source import Source
from smolrecipes.errors import RecipeError, nearest, needs

COMMON = "cp1252"
"""Taken where others are just as likely: after UTF-8 it is the most frequent by far."""
LOOK = 1 << 16
"""Bytes by which an encoding is recognised, from the first that is no ASCII."""


def check(encoding: str) -> None:
    """RecipeError for the name of no encoding."""
    if encoding == "detect":
        needs("charset_normalizer", "data.encoding=detect")
        return
    try:
        "a".encode(encoding)
    except LookupError:
        known = ("utf-8", "utf-16", "latin-1", "cp1252", "shift_jis", "gb18030", "detect")
        hint = nearest(encoding, known) or "; write utf-8, utf-16, cp1252, ..., or detect"
        raise RecipeError(f"data.encoding: there is no text encoding '{encoding}'{hint}") from None


def detected(source: Source) -> str:
    """The encoding of a text, by its beginning and by the first characters that are no ASCII."""
    from charset_normalizer import from_bytes

    found = _telling(source)
    if found.isascii() and b"\0" not in found:
        return "utf-8"
    if found.startswith(UTF_16):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(found)
        return "utf-8"
    except UnicodeDecodeError:
        matches = list(from_bytes(found))
    if not matches:
        raise RecipeError(f"{source.name}: its encoding is not recognised; say which it is with data.encoding=...")
    likely = [one for one in matches if (one.chaos, one.coherence) == (matches[0].chaos, matches[0].coherence)]
    return COMMON if any(COMMON in one.could_be_from_charset for one in likely) else str(matches[0].encoding)


def _telling(source: Source) -> bytes:
    """The first bytes that can tell: in ASCII all encodings are alike."""
    first = b""
    with source.open() as stream:
        while block := stream.read(BLOCK):
            first = first or block[:LOOK]
            if not block.isascii() or b"\0" in block:
                at = next(index for index, byte in enumerate(block) if byte >= 0x80 or not byte)
                start = max(block.rfind(b"\n", 0, at) + 1, at - LOOK // 2) if at > LOOK // 2 else 0
                return block[start : start + LOOK]
    return first
