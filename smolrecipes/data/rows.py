"""The ten row types: their columns, how rows become a dataset, and how one type is read as another.

text: `text` | pair: `source`, `target` | labelled: `text` or `texts`, and `label` | messages: `messages`, `tools` |
preference: `prompt`, `chosen`, `rejected` (lists of messages), `tools` | judged: `prompt`, `completion` (lists of
messages), `label` (whether it is good), `tools` | tagged: `tokens`, `tags` (lists, one tag a token) | choices: `text`,
`choices`, `label` (which, from 0) | question: `question`, `context`, `answers` (SQuAD's: lists `text` and
`answer_start`, empty where there is none) | mentions: `text`, `entities` (each the `start` and `end` of a mention in
the text, and the `entity`). Every row also has `origin`, "prefs.jsonl:17", and one of a curriculum its `stage`, from 0 on.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset, Features

Row = dict[str, Any]
Alike = Literal["words", "case", "spacing", "exact"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "pair": ("source", "target"),
    "labelled": ("text", "label"),
    "messages": ("messages", "tools"),
    "preference": ("prompt", "chosen", "rejected", "tools"),
    "judged": ("prompt", "completion", "label", "tools"),
    "tagged": ("tokens", "tags"),
    "choices": ("text", "choices", "label"),
    "question": ("question", "context", "answers"),
    "mentions": ("text", "entities"),
}
"""The columns of each row type, besides `origin`; a labelled row may have `texts`, a list, in place of `text`."""

_TELLING = {
    **{"chosen": "preference", "completion": "judged", "messages": "messages", "source": "pair"},
    **{"tags": "tagged", "choices": "choices", "context": "question", "entities": "mentions"},
    **{"label": "labelled", "text": "text"},
}
_NEEDS = {
    "text": ("text", '{"text": "..."}'),
    "pair": ("source and target", '{"source": "...", "target": "..."}'),
    "labelled": ("text and label", '{"text": "...", "label": "..."}'),
    "messages": ("messages", '{"user": "...", "assistant": "..."}'),
    "preference": ("prompt, chosen and rejected", '{"prompt": "...", "chosen": "...", "rejected": "..."}'),
    "judged": (
        "prompt, completion and a true or false label",
        '{"prompt": "...", "completion": "...", "label": "..."}',
    ),
    "tagged": ("tokens and tags", '{"tokens": "...", "tags": "..."}'),
    "choices": ("text, choices and label", '{"text": "...", "choices": "...", "label": "..."}'),
    "question": ("question, context and answers", '{"question": "...", "context": "...", "answers": "..."}'),
    "mentions": ("text and entities", '{"text": "...", "entities": "..."}'),
}


_SIGNS = {code: " " for code in range(128) if not re.match(r"\w", chr(code))}
"""What separates words in ASCII."""


def row_type(columns: Dataset | Iterable[str]) -> str:
    """Which of the types a dataset, or a row with these columns, is."""
    names = list(getattr(columns, "column_names", columns))
    for column, found in _TELLING.items():
        if column in names:
            return found
    raise RecipeError(f"no row type has the columns {', '.join(names) or '(none)'}; the types are {', '.join(COLUMNS)}")


def form_of(columns: Dataset | Iterable[str]) -> str:
    """The type of rows, and of labelled ones also whether they have `texts` in place of `text`: rows of one table share it."""
    names = list(getattr(columns, "column_names", columns))
    kind = row_type(names)
    return "labelled (texts)" if kind == "labelled" and "texts" in names else kind


def of_one_type(kinds: Mapping[str, str]) -> None:
    """RecipeError for rows of several types; `kinds` are the types, each with the name of what holds such rows."""
    if len(kinds) > 1:
        both = "; ".join(f"{where} holds {kind} rows" for kind, where in kinds.items())
        raise RecipeError(f"{both}; a recipe reads one type: leave the others out, or map them with data.columns")


def features(kind: str, *, texts: bool = False, label: str = "int64", stage: bool = False) -> Features:
    """The Arrow types of a row type. Messages and tools are JSON, so that absent keys stay absent."""
    from datasets import Features, Json, List, Value

    label = "bool" if kind == "judged" else label
    plain: dict[str, Any] = dict.fromkeys(("text", "source", "target", "question", "context"), Value("string"))
    plain |= {**dict.fromkeys(("tokens", "tags", "choices"), List(Value("string"))), "label": Value(label)}
    found = {column: plain.get(column) or Json() for column in COLUMNS[kind]}
    if texts:
        found = {"texts": List(Value("string")), "label": found["label"]}
    return Features({**found, "origin": Value("string"), **({"stage": Value("int64")} if stage else {})})


def make(kind: str, rows: Iterable[Mapping[str, Any]], description: str = "", *, spelt: bool = True) -> Dataset:
    """A dataset of canonical rows; `description` is the sentence that says how they were read; `spelt`: see `dataset`."""
    from smolrecipes.data.table import dataset

    return dataset(kind, rows, description, spelt=spelt)


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
            kept = [name for name in ("text", "origin", "stage") if name in rows.column_names]
            return rows.select_columns(kept), "labelled rows are read as text; the labels are not used"
        if have in ("labelled", "tagged", "choices", "question", "mentions") and kind == "text":
            read = make(kind, ({"text": " ".join(texts(row)), **whence(row)} for row in each(rows)))
            return read, f"{have} rows are read as text; what is to be learned of them is not used"
    name = rows[0]["origin"].rsplit(":", 1)[0] if len(rows) else "the data"
    needs = ", or ".join(_NEEDS[kind][0] for kind in wanted)
    read = f" (it was read so: {rows.info.description})" if rows.info.description else ""
    mend = (
        _judged(wanted)
        if have == "judged"
        else f"map columns with data.columns={_NEEDS[wanted[0]][1]}, or take other data{read}"
    )
    raise RecipeError(f"{name} holds {have} rows; {who} needs {needs}; {_other_toy(name, wanted) or mend}")


def _judged(wanted: tuple[str, ...]) -> str:
    """What to do with answers judged singly, where an objective reads none."""
    if "preference" in wanted:
        return "answers judged singly are for objective=kto"
    alike = 'data.columns={"source": "prompt", "target": "completion"}'
    return f"answers judged singly are for objective=kto; {alike} reads good and bad ones alike"


def _other_toy(name: str, wanted: tuple[str, ...]) -> str:
    """Which toy has rows of the wanted types, when these come from a toy: its columns are not one's own to map."""
    from smolrecipes.data.toy import COLUMNS as TOYS

    if not name.startswith("toy:"):
        return ""
    fitting = [f"data=toy:{task}" for kind in wanted for task, columns in TOYS.items() if row_type(columns) == kind]
    return f"take {' or '.join(fitting)}, or data of your own" if fitting else "take data of your own"


def each(rows: Dataset) -> Iterator[Row]:
    """The rows one by one, decoded in batches: several times faster than iterating over the dataset."""
    for batch in rows.iter(batch_size=1000):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def whence(row: Mapping[str, Any]) -> Row:
    """What stays with a row whatever is made of it: its origin and, in a curriculum, its stage."""
    return {name: row[name] for name in ("origin", "stage") if name in row}


def prompt_key(row: Mapping[str, Any], alike: Alike = "words") -> str:
    """What rows that ask the same have in common: their prompt or text, without case, punctuation and spacing unless said otherwise."""
    same = partial(as_compared, alike=alike)
    kind = row_type(row)
    if kind == "messages":
        asked = _opening(row["messages"])
    elif kind in ("preference", "judged"):
        answer = row["chosen" if kind == "preference" else "completion"]
        asked = [m for m in row["prompt"] if m["role"] == "user"] or row["prompt"] or answer
    elif kind == "labelled" and "texts" in row:  # the same two sentences in either order
        return "\n".join(sorted(map(same, row["texts"])))
    elif kind == "tagged":
        return same(" ".join(row["tokens"]))
    elif kind == "question":  # all that is asked of one text
        return same(row["context"])
    else:
        return same(row["source"] if kind == "pair" else row["text"])
    return "\n".join(same(_content(message)) for message in asked)


def as_compared(text: str, alike: Alike) -> str:
    """A text without what does not count: `words` leaves its words, `case` another case and spacing, `spacing` other spacing."""
    if alike == "words":
        return normal(text)
    spaced = text if alike == "exact" else " ".join(text.split())
    return spaced.casefold() if alike == "case" else spaced


def normal(text: str) -> str:
    """The words of a text, in lower case, one space apart; a text without words as it is."""
    if text.isascii():  # the same, three times as fast
        return " ".join(text.lower().translate(_SIGNS).split()) or text
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())) or text


def texts(row: Mapping[str, Any]) -> list[str]:
    """Every string of a row that a tokenizer should know, tool calls and tools as JSON."""
    plain = [row[c] for c in ("text", "source", "target", "context", "question") if row.get(c)]
    plain += [*(row.get("texts") or []), *(row.get("choices") or [])]
    plain += [" ".join(row["tokens"])] if row.get("tokens") else []
    columns = ("messages", "prompt", "chosen", "rejected", "completion")
    turns = [turn for column in columns for turn in row.get(column) or []]
    for turn in turns:
        plain += [turn[key] for key in ("content", "reasoning_content") if isinstance(turn.get(key), str) and turn[key]]
        plain += [json.dumps(call, ensure_ascii=False) for call in turn.get("tool_calls") or []]
    return plain + [json.dumps(tool, ensure_ascii=False) for tool in row.get("tools") or []]


def _turns(row: Row) -> Row:
    turns = [{"role": "user", "content": row["source"]}, {"role": "assistant", "content": row["target"]}]
    return {"messages": turns, "tools": None, **whence(row)}


def _opening(messages: list[Row]) -> list[Row]:
    """The user's turns before the first answer; the whole conversation when it does not begin with a user."""
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    opening = messages[: answers[0]] if answers else messages
    return [message for message in opening if message["role"] == "user"] or messages


def _content(message: Row) -> str:
    return message.get("content") or json.dumps(message.get("tool_calls") or "")
