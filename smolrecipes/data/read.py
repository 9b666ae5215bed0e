"""A file's rows, each with its number: the line where it begins, or the row in formats that have no lines."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from smolrecipes.data import conll, delimited, passages
from smolrecipes.data.chat import called, is_conversation
from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

FORMATS = {
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv"},
    **{".conll": "conll", ".parquet": "parquet", ".arrow": "arrow", ".txt": "txt", ".text": "txt", ".md": "txt"},
}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""The marks that such a file begins with."""
BEGINNING = 8_000
"""Bytes by which text is told from what is none."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def format_of(name: str) -> str:
    """The format that a file's name tells: jsonl of `chats.jsonl.gz`."""
    path = Path(name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    if found := FORMATS.get(path.suffix.lower()):
        return found
    known = sorted(set(FORMATS.values()))
    hint = nearest(path.suffix.lower(), FORMATS) or f"; say what it is with data.format=..., one of {', '.join(known)}"
    raise RecipeError(f"{name}: the extension {path.suffix!r} is of no format that is read{hint}")


def records(path: Path, name: str, form: str, rows: str) -> Iterator[tuple[int, Row]]:
    """The rows of a file of this format; `name` is what errors call it, `rows` how plain text is cut."""
    if form in ("parquet", "arrow"):
        yield from _columnar(path, name, form)
    elif form == "jsonl":
        yield from _json_lines(_lines(path, name), name)
    else:
        text = _text(path, name)
        if form == "txt":
            found = passages.cut(text, rows) if text.strip() else ()
            yield from ((line, {"text": row}) for line, row in found)
        elif form == "json":
            yield from _json(text, name)
        elif form == "conll":
            yield from conll.rows(text, name)
        else:
            yield from delimited.rows(text, name, "\t" if form == "tsv" else None)


def opened(path: Path, name: str) -> IO[bytes]:
    """The file's bytes, uncompressed."""
    if path.suffix.lower() == ".zip":
        return _zipped(path, name)
    if path.suffix.lower() == ".zst":
        import pyarrow as pa  # it brings zstandard along, which Python has only from 3.14 on

        return io.BufferedReader(pa.CompressedInputStream(path.open("rb"), "zstd"))
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    found: IO[bytes] = openers.get(path.suffix.lower(), open)(path, "rb")
    return found


def _zipped(path: Path, name: str) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    inside = [item for item in archive.namelist() if not item.endswith("/") and not item.startswith("__MACOSX/")]
    if len(inside) != 1:
        raise RecipeError(f"{name} holds {len(inside)} files, not one; unpack it and name the files, or the folder")
    return archive.open(inside[0])


def _lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    try:
        with opened(path, name) as stream:
            _check_text(stream, name)
            for number, line in enumerate(stream, 1):
                yield number, _decoded(line, name, number)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise RecipeError(_unreadable(name, error)) from None


def _text(path: Path, name: str) -> str:
    try:
        with opened(path, name) as stream:
            _check_text(stream, name)
            return _decoded(stream.read(), name, 1)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise RecipeError(_unreadable(name, error)) from None


def _unreadable(name: str, error: Exception) -> str:
    what = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{name} cannot be read: {what}; is it complete, and what its extension says?"


def _check_text(stream: Any, name: str) -> None:
    """That there are no zero bytes at its beginning: no text has any, and nearly everything else does."""
    first = stream.peek(BEGINNING)[:BEGINNING]
    if b"\0" in first and first[:2] not in UTF_16:
        raise RecipeError(
            f"{name} is not text: there are zero bytes in it; name a text file, or give it the extension of what it is, "
            "such as .parquet or .gz"
        )


def _decoded(data: bytes, name: str, line: int) -> str:
    """UTF-8 text, without the mark that some editors put before it."""
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        if data[:2] in UTF_16:
            raise RecipeError(f"{name}:{line}: the file is UTF-16; save it as UTF-8") from None
        raise RecipeError(f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8") from None


def _json_lines(lines: Iterator[tuple[int, str]], name: str) -> Iterator[tuple[int, Row]]:
    for number, line in lines:
        if line.strip():
            yield number, _object(_parsed(line.rstrip(), name, number), f"{name}:{number}")


def _json(text: str, name: str) -> Iterator[tuple[int, Row]]:
    """A list of objects, an object that holds one (`{"data": [...]}`), or, as many such files are, JSON lines."""
    lines = [line for line in text.split("\n", 2)[:2] if line.strip()]
    if len(lines) == 2 and _is_object(lines[0]):
        yield from _json_lines(enumerate(text.split("\n"), 1), name)
        return
    if not text.strip():
        return
    value = _parsed(text, name, 1)
    if isinstance(value, dict):
        value = _inner(value) or [value]
    if not isinstance(value, list):
        raise RecipeError(f'{name} should hold a list of objects such as [{{"text": "..."}}], not {called(value)}')
    yield from ((number, _object(item, f"{name}:{number}")) for number, item in enumerate(value, 1))


def _inner(value: Row) -> list[Any] | None:
    """The rows that an object holds, not one conversation: the list under `data`, `rows`, ...."""
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    return lists[0] if len(lists) == 1 and not is_conversation(lists[0]) and "messages" not in value else None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(text: str, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"{name}:{line + error.lineno - 1}, column {error.colno}"
        raise RecipeError(f"{at}: broken JSON: {error.msg}: {_near(error)}; mend that line, or remove it") from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{name}:{line}: this JSON cannot be read: {error}") from None


def _near(error: json.JSONDecodeError) -> str:
    around = error.doc[max(0, error.pos - 20) : error.pos + 20].strip()
    return repr(around) if around else "the text ends here"


def _object(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        what = f'a row should be an object such as {{"text": "..."}}, not {called(value)}'
        raise RecipeError(f"{where}: {what}; mend the row, or remove it")
    return value


def _columnar(path: Path, name: str, form: str) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa

    number = 0
    try:
        for batch in _batches(path, name, form):
            for row in objects(batch):
                number += 1
                yield number, row
    except (OSError, pa.ArrowException, zipfile.BadZipFile) as error:
        raise RecipeError(f"{name} cannot be read as {form}: {str(error).splitlines()[0]}") from None


def _batches(path: Path, name: str, form: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix.lower() in COMPRESSED:
        source: Any = pa.BufferReader(opened(path, name).read())
    else:
        source = pa.memory_map(str(path))
    if form == "parquet":
        yield from pq.ParquetFile(source).iter_batches(batch_size=1000)
        return
    try:
        stream = pa.ipc.open_stream(source)  # as `datasets` writes them
    except pa.ArrowInvalid:
        source.seek(0)
        file = pa.ipc.open_file(source)
        stream = (file.get_batch(i) for i in range(file.num_record_batches))
    yield from stream


def objects(batch: pa.RecordBatch | pa.Table) -> Iterator[Row]:
    """The rows of a batch; columns that are stored as JSON are what they stand for."""
    from datasets.features.features import ujson_loads  # which `data/table.py` made sure reads its JSON exactly

    stored = {field.name for field in batch.schema if getattr(field.type, "extension_name", "") == "arrow.json"}
    for row in batch.to_pylist():
        yield {
            column: ujson_loads(value) if column in stored and value is not None else unfilled(value)
            for column, value in row.items()
        }


def unfilled(value: Any) -> Any:
    """Without the nulls that Arrow puts in for keys that an object does not have."""
    if isinstance(value, dict):
        return {key: unfilled(inner) for key, inner in value.items() if inner is not None}
    return [unfilled(inner) for inner in value] if isinstance(value, list) else value
