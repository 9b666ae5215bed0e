"""The five row types: their columns, how rows become a dataset, and how one type is read as another.

text: `text` | pair: `source`, `target` | labelled: `text` or `texts`, and `label` | messages: `messages`, `tools` |
preference: `prompt`, `chosen`, `rejected` (lists of messages), `tools`. Every row also has `origin`, "prefs.jsonl:17".
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset, Features

Row = dict[str, Any]

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "pair": ("source", "target"),
    "labelled": ("text", "label"),
    "messages": ("messages", "tools"),
    "preference": ("prompt", "chosen", "rejected", "tools"),
}
"""The columns of each row type, besides `origin`; a labelled row may have `texts`, a list, in place of `text`."""

_TELLING = {"chosen": "preference", "messages": "messages", "source": "pair", "label": "labelled", "text": "text"}
_NEEDS = {
    "text": ("text", '{"text": "..."}'),
    "pair": ("source and target", '{"source": "...", "target": "..."}'),
    "labelled": ("text and label", '{"text": "...", "label": "..."}'),
    "messages": ("messages", '{"user": "...", "assistant": "..."}'),
    "preference": ("prompt, chosen and rejected", '{"prompt": "...", "chosen": "...", "rejected": "..."}'),
}


def row_type(columns: Dataset | Iterable[str]) -> str:
    """Which of the five types a dataset, or a row with these columns, is."""
    names = list(getattr(columns, "column_names", columns))
    for column, found in _TELLING.items():
        if column in names:
            return found
    raise RecipeError(f"no row type has the columns {', '.join(names) or '(none)'}; the types are {', '.join(COLUMNS)}")


def features(kind: str, *, texts: bool = False, label: str = "int64") -> Features:
    """The Arrow types of a row type. Messages and tools are JSON, so that absent keys stay absent."""
    from datasets import Features, Json, List, Value

    plain = {"text": Value("string"), "source": Value("string"), "target": Value("string"), "label": Value(label)}
    found = {column: plain.get(column) or Json() for column in COLUMNS[kind]}
    if texts:
        found = {"texts": List(Value("string")), "label": found["label"]}
    return Features({**found, "origin": Value("string")})


def make(kind: str, rows: Iterable[Mapping[str, Any]], description: str = "") -> Dataset:
    """A dataset of canonical rows; `description` is the sentence that says how they were read."""
    from smolrecipes.data.table import dataset

    return dataset(kind, rows, description)


def convert(rows: Dataset, wanted: tuple[str, ...], who: str) -> tuple[Dataset, str]:
    """The rows as one of the `wanted` types (the best first) and a sentence about what was done, "" for nothing."""
    have = row_type(rows)
    if have in wanted:
        return rows, ""
    for kind in wanted:
        if have == "pair" and kind == "messages":
            turned = make(kind, (_turns(row) for row in each(rows)), rows.info.description or "")
            return turned, "each pair is read as a question and the assistant's answer"
        if have == "labelled" and kind == "text" and "text" in rows.column_names:
            return rows.select_columns(["text", "origin"]), "labelled rows are read as text; the labels are not used"
    name = rows[0]["origin"].rsplit(":", 1)[0] if len(rows) else "the data"
    needs = ", or ".join(_NEEDS[kind][0] for kind in wanted)
    read = f" (it was read so: {rows.info.description})" if rows.info.description else ""
    raise RecipeError(
        f"{name} holds {have} rows; {who} needs {needs}; "
        f"map columns with data.columns={_NEEDS[wanted[0]][1]}, or take other data{read}"
    )


def each(rows: Dataset) -> Iterator[Row]:
    """The rows one by one, decoded in batches: several times faster than iterating over the dataset."""
    for batch in rows.iter(batch_size=1000):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def prompt_key(row: Mapping[str, Any]) -> str:
    """What rows that ask the same have in common: their prompt or text without case, punctuation and spacing."""
    kind = row_type(row)
    if kind == "messages":
        asked = _opening(row["messages"])
    elif kind == "preference":
        asked = [m for m in row["prompt"] if m["role"] == "user"] or row["prompt"] or row["chosen"]
    elif kind == "labelled" and "texts" in row:  # the same two sentences in either order
        return "\n".join(sorted(map(normal, row["texts"])))
    else:
        return normal(row["source"] if kind == "pair" else row["text"])
    return "\n".join(normal(_content(message)) for message in asked)


def normal(text: str) -> str:
    """The words of a text, in lower case, one space apart; a text without words as it is."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())) or text


def texts(row: Mapping[str, Any]) -> list[str]:
    """Every string of a row that a tokenizer should know, tool calls and tools as JSON."""
    plain = [row[column] for column in ("text", "source", "target") if row.get(column)]
    plain += row.get("texts") or []
    turns = [turn for column in ("messages", "prompt", "chosen", "rejected") for turn in row.get(column) or []]
    for turn in turns:
        plain += [turn[key] for key in ("content", "reasoning_content") if isinstance(turn.get(key), str) and turn[key]]
        plain += [json.dumps(call, ensure_ascii=False) for call in turn.get("tool_calls") or []]
    return plain + [json.dumps(tool, ensure_ascii=False) for tool in row.get("tools") or []]


def _turns(row: Row) -> Row:
    turns = [{"role": "user", "content": row["source"]}, {"role": "assistant", "content": row["target"]}]
    return {"messages": turns, "tools": None, "origin": row["origin"]}


def _opening(messages: list[Row]) -> list[Row]:
    """The user's turns before the first answer; the whole conversation when it does not begin with a user."""
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    opening = messages[: answers[0]] if answers else messages
    return [message for message in opening if message["role"] == "user"] or messages


def _content(message: Row) -> str:
    return message.get("content") or json.dumps(message.get("tool_calls") or "")
