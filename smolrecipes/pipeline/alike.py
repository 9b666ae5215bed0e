"""All shards of a stage of one row type and, where rows are labelled, of one type of label, as one dataset has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.data import labels
from smolrecipes.data.rows import form_of, of_one_type
from smolrecipes.files import write_text
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.writing import writing

if TYPE_CHECKING:
    from datasets import Dataset


def alike(folder: Path, made: Iterable[Path], *, spelt: bool) -> None:
    """Stores the shards of a folder with one schema; RecipeError for rows of several types.

    spelt: labels are as a file spells them (see `data.table.dataset`), else as a step left them.
    """
    loaded = {shard: shards.read(shard) for shard in made if shard.exists()}
    forms: dict[str, str] = {}
    for rows in loaded.values():
        forms.setdefault(form_of(rows), rows[0]["origin"].rsplit(":", 1)[0])
    of_one_type(forms)
    if not any(form.startswith("labelled") for form in forms):
        return
    wanted = _label(folder / "label.json", list(loaded.values()), spelt)
    for shard in [shard for shard, rows in loaded.items() if _type(rows) != wanted]:
        del loaded[shard]  # a file that is mapped is not replaced everywhere
        _store_again(shard, wanted)


def _label(noted: Path, loaded: Sequence[Dataset], spelt: bool) -> str:
    """The type of all labels: noted before any shard is changed, as what was changed no longer tells it."""
    if not noted.exists():
        found = _found(loaded, spelt)
        with writing(noted.parent):
            write_text(noted, json.dumps(found))
    label: str = shards.facts(noted)
    return label


def _found(loaded: Sequence[Dataset], spelt: bool) -> str:
    types = {_type(rows) for rows in loaded}
    if "string" in types and len(types) > 1:
        raise labels.mixed()
    if types == {"string"} and (not spelt or any(labels.spell_words(rows["label"][:]) for rows in loaded)):
        return "string"
    if not spelt:
        return "float64" if "float64" in types else "int64"
    return "int64" if all(labels.spell_whole(rows["label"][:]) for rows in loaded) else "float64"


def _type(rows: Dataset) -> str:
    found: str = rows.features["label"].dtype
    return found


def _store_again(shard: Path, label: str) -> None:
    """A shard with its labels as numbers, or as the other kind of number."""
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo

    from smolrecipes.data.rows import features

    with shard.open("rb") as file, pa.ipc.open_stream(file) as stream:
        table = stream.read_all()
    fields = features("labelled", texts="texts" in table.column_names, label=label, stage="stage" in table.column_names)
    found = labels.numbers(table["label"].to_pylist(), whole=label == "int64")
    schema = fields.arrow_schema
    table = table.set_column(table.column_names.index("label"), schema.field("label"), pa.array(found))
    shards.store(shard, Dataset(table.select(schema.names).cast(schema), info=DatasetInfo(features=fields)))
