"""Which formats are read, as the extensions of files tell them."""

from __future__ import annotations

from pathlib import PurePath

from smolrecipes.errors import RecipeError, nearest

FORMATS = {
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv"},
    **{".conll": "conll", ".parquet": "parquet", ".arrow": "arrow", ".txt": "txt", ".text": "txt", ".md": "txt"},
    **{".html": "html", ".htm": "html"},
}
TEXT = ("txt", "html")
"""The formats of running text, which `Files.rows` cuts."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Besides .zip, which is an archive where its name tells no format: `corpus.zip`, but not `chats.jsonl.zip`."""
ABOUT = ("README", "LICENSE", "LICENCE", "CHANGELOG")
"""What such files are called that tell of the data and are none."""


def format_of(name: str) -> str:
    """The format that a file's name tells: jsonl of `chats.jsonl.gz`, archive of `corpus.zip`."""
    if is_archive(name):
        return "archive"
    suffix = _inner(name)
    if found := FORMATS.get(suffix.lower()):
        return found
    known = sorted(set(FORMATS.values()))
    hint = nearest(suffix.lower(), FORMATS) or f"; say what it is with data.format=..., one of {', '.join(known)}"
    raise RecipeError(f"{name}: the extension {suffix!r} is of no format that is read{hint}")


def is_archive(name: str) -> bool:
    """Whether a file holds others, each with a name."""
    lower = name.lower()
    return lower.endswith(ARCHIVES) or (lower.endswith(".zip") and _inner(lower) not in FORMATS)


def is_data(name: str) -> bool:
    """Whether a file in a folder or an archive is data: of a format that is read, and not about the others."""
    path = PurePath(name)
    return _inner(name).lower() in FORMATS and path.stem.upper() not in ABOUT


def _inner(name: str) -> str:
    """The extension below that of the compression."""
    path = PurePath(name)
    return (path.with_suffix("") if path.suffix.lower() in COMPRESSED else path).suffix
