"""Own data is recognised by its columns and values: which row type it is, and how a row becomes a canonical one.

Where more than one type fits, the first in this order is taken and the rest is named as ignored: preference, judged,
question, choices, tagged, mentions, messages, pair, labelled, text. The `columns` option decides otherwise: a type that does not read a mapped column does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from smolrecipes.data.chat import conversation, is_conversation, is_message, shown, tools
from smolrecipes.data.columns import CANONICAL, known, mapper, mentioned
from smolrecipes.data.preference import explicit, implicit, turns
from smolrecipes.errors import RecipeError

Row = dict[str, Any]
Kinds = dict[str, str]

ASKED = ("prompt", "question", "instruction", "query", "input", "conversations", "conversation")
CHATS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat")
PAIRS = (
    *(("source", "target"), ("user", "assistant"), ("prompt", "completion"), ("prompt", "response")),
    *(
        ("question", "answer"),
        ("question", "response"),
        ("query", "response"),
        ("query", "answer"),
        ("instruction", "output"),
    ),
    *(("instruction", "response"), ("instruction", "completion"), ("instruction", "answer"), ("problem", "solution")),
    *(("input", "output"), ("input", "target"), ("input", "response")),
)
TEXTS = ("text", "content", "sentence", "body", "document", "passage", "story", "article", "review", "code", "markdown")
TWO_TEXTS = (
    *(("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("text1", "text2")),
    *(("sentence_a", "sentence_b"), ("text_a", "text_b")),
)
SCORES = ("score", "similarity", "similarity_score", "relatedness_score")
"""What labels of two texts may be called as well."""
LABELS = ("label", "labels", "class", "category", "sentiment", "emotion", "intent", "topic")
SAMPLE = 1000
"""Rows by which a file is recognised; every row is read by what they showed."""


@dataclass(frozen=True)
class Shape:
    """What a file turned out to hold: its row type, the columns read, a phrase that says so, and how to read a row."""

    rows: str
    used: tuple[str, ...]
    said: str
    convert: Callable[[Row, str], Row]
    ignored: tuple[str, ...] = ()

    def sentence(self) -> str:
        """`question and answer, read as pairs; id ignored`."""
        return f"{self.said}; {known(self.ignored)} ignored" if self.ignored else self.said


def recognise(sample: Sequence[tuple[str, Row]], name: str, columns: dict[str, str] | None = None) -> Shape:
    """How the rows of `name` are read, by its first rows (each with its origin); RecipeError for no known shape."""
    columns = columns or {}
    found = dict.fromkeys(column for _, row in sample for column in row)
    mapped = mapper(columns, found, name)
    rows = [mapped(row, origin) for origin, row in sample[:SAMPLE]]
    kinds = kinds_of(rows)
    shapes = [shape for shape in _shapes(kinds) if set(columns) <= set(shape.used)]
    if not shapes:
        raise RecipeError(_unrecognised(kinds, list(found), name, columns))
    shape = next((shape for shape in shapes if 2 * _holds(shape, rows) >= len(rows)), shapes[0])
    read = {*shape.used, *mentioned(columns)}
    ignored = tuple(column for column in found if column not in read and column in kinds)
    return replace(shape, convert=_after(mapped, shape.convert), ignored=ignored)


def _holds(shape: Shape, rows: Sequence[Row]) -> int:
    """How many of the rows have anything that the shape reads: a few odd ones do not make a file another type."""
    return sum(any(row.get(column) is not None for column in shape.used) for row in rows)


def _after(mapped: Callable[[Row, str], Row], convert: Callable[[Row, str], Row]) -> Callable[[Row, str], Row]:
    return lambda row, origin: {**convert(mapped(row, origin), origin), "origin": origin}


def _shapes(kinds: Kinds) -> Iterator[Shape]:
    from smolrecipes.data import tasks

    yield from _preferences(kinds)
    yield from _judged(kinds)
    yield from tasks.shapes(kinds)
    yield from _conversations(kinds)
    yield from _pairs(kinds)
    yield from _labelled(kinds)
    yield from _texts(kinds)


def _preferences(kinds: Kinds) -> Iterator[Shape]:
    if not {kinds.get("chosen"), kinds.get("rejected")} <= {"text", "chat", "message"}:
        return
    extra = _extra(kinds)
    asked = next((name for name in ASKED if kinds.get(name) in ("text", "chat")), None)
    used = tuple(filter(None, (asked, "chosen", "rejected", *extra)))

    def convert(row: Row, where: str) -> Row:
        better, worse = _given(row, "chosen", where), _given(row, "rejected", where)
        found = explicit(_given(row, asked, where), better, worse, where) if asked else implicit(better, worse, where)
        return {**found, "prompt": _with_system(found["prompt"], row, extra), "tools": _tools(row, extra, where)}

    shared = "" if asked else " (the prompt is what both begin with)"
    yield Shape("preference", used, f"{_list(used)}, read as preferences{shared}", convert)


def _judged(kinds: Kinds) -> Iterator[Shape]:
    spoken = {kinds.get("prompt"), kinds.get("completion")} <= {"text", "chat", "message"}
    if not spoken or kinds.get("label") != "bool":
        return
    extra = _extra(kinds)
    used = ("prompt", "completion", "label", *extra)

    def convert(row: Row, where: str) -> Row:
        asked = turns(_given(row, "prompt", where), "user", f"{where}: prompt")
        said = turns(_given(row, "completion", where), "assistant", f"{where}: completion")
        good = _given(row, "label", where)
        if not isinstance(good, bool):
            raise RecipeError(f"{where}: label should be true or false, not {shown(good)}")
        prompt = _with_system(asked, row, extra)
        return {"prompt": prompt, "completion": said, "label": good, "tools": _tools(row, extra, where)}

    yield Shape("judged", used, f"{_list(used)}, read as answers judged singly", convert)


def _conversations(kinds: Kinds) -> Iterator[Shape]:
    named = [name for name in CHATS if kinds.get(name) == "chat"]
    chats = named or [name for name, kind in kinds.items() if kind == "chat"]
    extra = _extra(kinds)
    if named or len(chats) == 1:
        column = chats[0]

        def convert(row: Row, where: str) -> Row:
            said = conversation(_given(row, column, where), f"{where}: {column}")
            return {"messages": _with_system(said, row, extra), "tools": _tools(row, extra, where)}

        yield Shape("messages", (column, *extra), f"{_list((column, *extra))}, read as conversations", convert)


def _pairs(kinds: Kinds) -> Iterator[Shape]:
    fits = [pair for pair in PAIRS if {kinds.get(pair[0]), kinds.get(pair[1])} <= {"text", "chat", "message"}]
    for source, target in fits:
        more = next((c for c in ("input", "context") if source == "instruction" and kinds.get(c) == "text"), None)
        extra = _extra(kinds)
        used = tuple(filter(None, (source, more, target, *extra)))
        if extra or source == "user" or {kinds[source], kinds[target]} != {"text"}:
            said = f"{_list(used)}, read as conversations"
            yield Shape("messages", used, said, _exchange(source, more, target, extra))
        else:
            yield Shape("pair", used, f"{_list(used)}, read as pairs", _pair(source, more, target))


def _pair(source: str, more: str | None, target: str) -> Callable[[Row, str], Row]:
    return lambda row, where: {"source": _asked(row, source, more, where), "target": _text(row, target, where)}


def _exchange(source: str, more: str | None, target: str, extra: tuple[str, ...]) -> Callable[[Row, str], Row]:
    def convert(row: Row, where: str) -> Row:
        asked = _asked(row, source, more, where) if more else _given(row, source, where)
        said = turns(asked, "user", f"{where}: {source}")
        said += turns(_given(row, target, where), "assistant", f"{where}: {target}")
        return {"messages": _with_system(said, row, extra), "tools": _tools(row, extra, where)}

    return convert


def _labelled(kinds: Kinds) -> Iterator[Shape]:
    for label in (name for name in (*LABELS, *SCORES) if kinds.get(name) in ("int", "float", "bool", "text")):
        for one, other in (pair for pair in TWO_TEXTS if kinds.get(pair[0]) == kinds.get(pair[1]) == "text"):
            used = (one, other, label)
            said = f"{_list(used)}, read as labelled pairs of texts"
            yield Shape("labelled", used, said, _label_of(label, one, other))
        if label in SCORES:
            continue
        if kinds.get("texts") == "texts":
            said = f"texts and {label}, read as labelled texts"
            yield Shape("labelled", ("texts", label), said, _label_of(label, "texts"))
        if text := _main_text(kinds, without=label):
            yield Shape("labelled", (text, label), f"{text} and {label}, read as labelled text", _label_of(label, text))


def _label_of(label: str, *columns: str) -> Callable[[Row, str], Row]:
    def convert(row: Row, where: str) -> Row:
        if columns == ("texts",):
            texts = _given(row, "texts", where)
            if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
                raise RecipeError(f"{where}: texts should be a list of texts, not {shown(texts)}")
            return {"texts": texts, "label": _label(row, label, where)}
        texts = [_text(row, column, where) for column in columns]
        return {**({"text": texts[0]} if len(texts) == 1 else {"texts": texts}), "label": _label(row, label, where)}

    return convert


def _texts(kinds: Kinds) -> Iterator[Shape]:
    if column := _main_text(kinds):
        said = f"{column}, read as text" if column != "text" else "text"
        yield Shape("text", (column,), said, lambda row, where: {"text": _text(row, column, where)})


def _main_text(kinds: Kinds, without: str = "") -> str | None:
    """The column that is the text: by its name, or because there is no other text."""
    texts = [name for name, kind in kinds.items() if kind == "text" and name != without]
    return next((name for name in TEXTS if name in texts), texts[0] if len(texts) == 1 else None)


def kinds_of(rows: Sequence[Row]) -> Kinds:
    """What each column mostly holds; columns that are null throughout are left out."""
    votes: dict[str, Counter[str]] = {}
    for row in rows:
        for column, value in row.items():
            if value is not None and value != []:
                votes.setdefault(column, Counter())[_kind(value)] += 1
    return {column: counter.most_common(1)[0][0] for column, counter in votes.items()}


def _kind(value: Any) -> str:
    if is_conversation(value):
        return "chat"
    if is_message(value):
        return "message"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "texts"
    if isinstance(value, list) and all(isinstance(item, dict) and {"start", "end"} <= item.keys() for item in value):
        return "mentions"
    names = {str: "text", bool: "bool", int: "int", float: "float", list: "list", dict: "object"}
    return names.get(type(value), type(value).__name__)


def _extra(kinds: Kinds) -> tuple[str, ...]:
    """The system prompt and tools, where a row has them beside its turns."""
    system = next((name for name in ("system", "system_prompt") if kinds.get(name) == "text"), None)
    listed = ("list", "texts", "object", "text")
    tool = next((name for name in ("tools", "functions") if kinds.get(name) in listed), None)
    return tuple(filter(None, (system, tool)))


def _with_system(turns: list[Row], row: Row, extra: tuple[str, ...]) -> list[Row]:
    text = next((row.get(name) for name in extra if name.startswith("system")), None)
    if not isinstance(text, str) or not text or (turns and turns[0]["role"] == "system"):
        return turns
    return [{"role": "system", "content": text}, *turns]


def _tools(row: Row, extra: tuple[str, ...], where: str) -> list[Row] | None:
    column = next((name for name in extra if not name.startswith("system")), None)
    return tools(row.get(column), f"{where}: {column}") if column else None


def _given(row: Row, column: str, where: str) -> Any:
    if row.get(column) is None:
        raise RecipeError(f"{where}: {column} is missing; mend the row, or remove it")
    return row[column]


def _text(row: Row, column: str, where: str) -> str:
    if row.get(column) is None and column in CANONICAL:  # of a column that is text, a template can be given
        empty = f'data.columns={{"{column}": "{{{{ {column} | default }}}}"}}'
        raise RecipeError(f"{where}: {column} is missing; mend the row, remove it, or read it as empty: '{empty}'")
    value = _given(row, column, where)
    if not isinstance(value, str):
        raise RecipeError(f"{where}: {column} should be text, not {shown(value)}")
    return value


def _asked(row: Row, source: str, more: str | None, where: str) -> str:
    """The question; an instruction with its input or context below it, where there is one."""
    text = _text(row, source, where)
    return f"{text}\n\n{_text(row, more, where)}" if more and row.get(more) else text


def _label(row: Row, column: str, where: str) -> int | float | str:
    value = _given(row, column, where)
    finite = not isinstance(value, float) or isfinite(value)
    if not isinstance(value, (int, float, str)) or not finite or (isinstance(value, int) and abs(value) >= 2**63):
        raise RecipeError(f"{where}: {column} should be a class or a number, not {shown(value)}")
    return int(value) if isinstance(value, bool) else value


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _unrecognised(kinds: Kinds, found: list[str], name: str, columns: dict[str, str]) -> str:
    listed = known([f"{column} ({kinds.get(column, 'null')})" for column in found])
    if columns:
        return (
            f"{name}: data.columns maps {_list(list(columns))}, but no row type reads just these; needed: text; source "
            f"and target; text and label; messages; or prompt, chosen and rejected; found: {listed}"
        )
    text = [column for column, kind in kinds.items() if kind == "text"]
    example = f'{{"text": "{text[0] if text else "{{ " + (found or ["body"])[0] + " }}"}"}}'
    if len(text) > 1:
        example = f'{{"source": "{text[0]}", "target": "{text[1]}"}}'
    return (
        f"{name}: its columns are of no known shape; found: {listed}; needed: text; source and target; text and label; "
        f"messages; or prompt, chosen and rejected; map them with data.columns, as in data.columns={example}"
    )
