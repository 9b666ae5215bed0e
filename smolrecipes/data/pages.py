"""The main text of web pages, by trafilatura (Barbaresi 2021): without menus, headers, footers and advertisements."""

from __future__ import annotations

import codecs
import re

from smolrecipes.data.decode import decoded
from smolrecipes.data.source import Source
from smolrecipes.errors import RecipeError, needs

LARGEST = 20_000_000
"""Bytes of the largest page that is read."""
_DECLARED = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


def main_text(source: Source, encoding: str) -> str:
    """The text of a page that people read it for; RecipeError where there is none."""
    needs("trafilatura", "reading HTML")
    try:
        from trafilatura import extract
    except ImportError as error:
        raise RecipeError(f"reading HTML needs trafilatura, which does not load: {error}") from None
    with source.open() as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise RecipeError(f"{source.name}: a page of more than {LARGEST // 1_000_000} MB is not read")
    page = _decoded(data, source.name, encoding)
    found = extract(page, include_comments=False) if page.strip() else None
    if not found:
        raise RecipeError(
            f"{source.name}: there is no main text in this page; remove it, or save what you need as .txt"
        )
    return str(found)


def _decoded(data: bytes, name: str, encoding: str) -> str:
    """As the page declares, where it is not in the encoding that is asked for."""
    data = data.removeprefix(codecs.BOM_UTF8)
    declared = _DECLARED.search(data, 0, 4096)
    for one in (encoding, declared[1].decode("ascii", "replace") if declared else encoding):
        try:
            return data.decode(one)
        except (UnicodeDecodeError, LookupError):
            continue
    return decoded(data, name, 1)
