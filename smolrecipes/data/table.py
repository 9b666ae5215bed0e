"""Canonical rows as an Arrow table: written once, checked to come back exactly as they were."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from smolrecipes.data import labels
from smolrecipes.data.rows import features, form_of, of_one_type
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset

Row = Mapping[str, Any]
BATCH = 1_000
_SURROGATE = re.compile("[\ud800-\udfff]")
LISTS = ("texts", "tokens", "tags", "choices")
"""Columns that hold lists of texts."""


def dataset(kind: str, rows: Iterable[Row], description: str, *, spelt: bool = True) -> Dataset:
    """The rows as a dataset whose `info.description` is `description`. In memory: a batch of rows, and Arrow.

    spelt: labels are as a file spells them, where numbers may be text and whole ones may end in .0; else they stay what
    they are.
    """
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo

    iterator = iter(rows)
    first = next(iterator, {})
    texts, stage = "texts" in first, "stage" in first
    plain = {name: field for name, field in features(kind, texts=texts, stage=stage).items() if name != "label"}
    given: list[Any] = []
    tables = []
    for batch in _batches(itertools.chain([first] if first else [], iterator)):
        _of_one_form(first, batch)
        given += [row["label"] for row in batch if "label" in row]
        tables.append(_table(batch, plain))
    if kind == "labelled":
        given = labels.as_read(given) if spelt else labels.of_one_type(given)
    fields = features(kind, texts=texts, label=labels.arrow_type(given), stage=stage)
    schema = fields.arrow_schema
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    if "label" in fields and tables:
        table = table.append_column("label", pa.array(given, schema.field("label").type))
    info = DatasetInfo(features=fields, description=description)
    return Dataset(table.select(schema.names).cast(schema), info=info)


def check(row: Mapping[str, Any]) -> None:
    """RecipeError for a row that could not be stored."""
    origin = str(row["origin"])
    for name, value in row.items():
        if isinstance(value, str) or (name in LISTS and value):
            if _SURROGATE.search("".join(value)):
                raise _no_character(origin, name)
        elif isinstance(value, (list, dict)):
            _encode(value, origin, name)


def _of_one_form(first: Row, batch: list[Row]) -> None:
    """RecipeError for rows that would lose what they hold in a table of the columns of the first."""
    for row in batch:
        if row.keys() != first.keys():
            of_one_type({form_of(one): one["origin"].rsplit(":", 1)[0] for one in (first, row)})


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def _table(batch: list[Row], fields: dict[str, Any]) -> Any:
    import pyarrow as pa
    from datasets import Json

    columns = {}
    for name, field in fields.items():
        values = [row.get(name) for row in batch]
        kind = pa.list_(pa.string()) if name in LISTS else pa.int64() if name == "stage" else pa.string()
        if isinstance(field, Json):
            values = [
                None if v is None else _encode(v, str(row["origin"]), name)
                for v, row in zip(values, batch, strict=True)
            ]
        try:
            columns[name] = pa.array(values, kind)
        except UnicodeEncodeError:  # half of a surrogate pair: JSON can spell it, no text contains it
            raise _no_character(_unencodable(values, batch), name) from None
    return pa.table(columns)


def _unencodable(values: list[Any], batch: list[Row]) -> str:
    for value, row in zip(values, batch, strict=True):
        if _SURROGATE.search("".join(value or "")):
            return str(row["origin"])
    raise AssertionError("every value is text")


def _no_character(where: str, name: str) -> RecipeError:
    return RecipeError(f"{where}: {name} holds a lone surrogate, which is no character; mend the row")


def _encode(value: Any, origin: str, name: str) -> str:
    """`value` as JSON text that `datasets` reads back as exactly this value.

    Its reader rounds some decimals (0.7 becomes 0.7000000000000001) and drops what it does not know: where a value does
    not come back, its numbers are written with more digits, and where that does not help either, it is an error.
    """
    from datasets.features.features import ujson_loads

    reason: Exception | None = None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if ujson_loads(text) == value:
            return text
        value = json.loads(text)  # tuples as lists
        text = _with_digits(value, ujson_loads)
        if ujson_loads(text) == value:
            return text
    except (ValueError, TypeError, RecursionError, IndexError) as error:
        reason = error  # whatever it is, the sentence below is what can be done about it
    raise RecipeError(
        f"{origin}: {name} holds a value that cannot be stored exactly (a number over 64 bits, NaN, a lone surrogate, "
        "or something that is not JSON); write it as text"
    ) from reason


def _with_digits(value: Any, loads: Any) -> str:
    """JSON in which each float is spelt so that `loads` gives it back: 0.7 as 0.700."""
    spelt: list[str] = []

    def mark(item: Any) -> Any:
        if isinstance(item, float):
            spelt.append(next((text for text in _spellings(item) if loads(text) == item), repr(item)))
            return f"\x00{len(spelt) - 1}\x00"
        if isinstance(item, dict):
            return {key: mark(inner) for key, inner in item.items()}
        return [mark(inner) for inner in item] if isinstance(item, list) else item

    text = json.dumps(mark(value), ensure_ascii=False)
    return re.sub(r'"\\u0000(\d+)\\u0000"', lambda found: spelt[int(found[1])], text)


def _spellings(number: float) -> Iterator[str]:
    """Ways to write a number, or one next to it, as which an inexact reader may take it."""
    yield from (f"{number:.{digits}f}" for digits in range(1, 16))
    for digits in (15, 16, 17):
        mantissa, exponent = f"{number:.{digits}e}".split("e")
        whole = int(mantissa.replace(".", ""))
        yield from (f"{whole + off}e{int(exponent) - digits}" for off in sorted(range(-50, 51), key=abs))
