"""What is wrong with rows: nothing in them, the same twice, no answer, an order that no template expects."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smolrecipes.check.finding import Finding, places

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.check.subject import Subject

BUDGET = 3.0
"""Seconds for looking at the rows; of more rows only the first are seen, which is a finding of its own."""
UNSEEN = "rows-unseen"
"""The finding that there are more rows than were looked at."""
TWICE = 0.02
"""The share of repeated rows from which on it is said."""
CHUNK = 1_000


def rows(subject: Subject) -> Iterator[Finding]:
    """One pass over the training rows, one over the held-out ones."""
    seen, found, count = _scan(subject.rows)
    total = len(subject.rows)
    if count < total:
        yield Finding(UNSEEN, f"only the first {count:,} of {total:,} rows were looked at, in {BUDGET:.0f} s")
    of = f"of {total:,} rows" if count == total else f"of the first {count:,} of {total:,} rows"
    if found["empty"]:
        yield Finding("rows-empty", f"{len(found['empty']):,} {of} are empty", places(found["empty"]))
    if len(found["twice"]) > TWICE * count:
        yield Finding("rows-twice", f"{len(found['twice']):,} {of} were there before", places(found["twice"]))
    yield from _conversations(found, of, count)
    if subject.held_out is not None:
        yield from _overlap(seen, subject.held_out)
    classes = subject.objective.classes
    if subject.objective.head == "sequence-classification" and len(classes) == 1:
        yield Finding("rows-one-class", f"every row's label is {classes[0]!r}")


def _conversations(found: dict[str, list[str]], of: str, count: int) -> Iterator[Finding]:
    same, silent, order = found["same"], found["silent"], found["order"]
    if same:
        what = f"{len(same):,} {of} have the same answer as chosen and rejected"
        yield Finding("rows-same-answers", what, places(same), serious=2 * len(same) > count)
    if silent:
        what = f"{len(silent):,} {of} end without an answer of the assistant, or with an empty one"
        yield Finding("rows-no-answer", what, places(silent), serious=2 * len(silent) > count)
    if order:
        yield Finding("rows-order", f"{len(order):,} {of} have messages out of order", places(order))


def _overlap(seen: set[int], held_out: Dataset) -> Iterator[Finding]:
    start, both, count = time.monotonic(), [], 0
    total = len(held_out)
    for row in _rows(held_out, start):
        count += 1
        if _key(row) in seen:
            both.append(row["origin"])
    if count < total:
        yield Finding(UNSEEN, f"only the first {count:,} of {total:,} held-out rows were looked at, in {BUDGET:.0f} s")
    if both:
        what = f"{len(both):,} of {count:,} held-out rows are training rows as well"
        yield Finding("rows-overlap", what, places(both), serious=2 * len(both) > count)


def _scan(given: Dataset) -> tuple[set[int], dict[str, list[str]], int]:
    """Keys of the rows, the places of each mistake, and how many rows were looked at."""
    start, seen, count = time.monotonic(), set[int](), 0
    found: dict[str, list[str]] = {name: [] for name in ("empty", "twice", *LOOKS)}
    for row in _rows(given, start):
        count += 1
        key, origin = _key(row), str(row["origin"])
        if key in seen:
            found["twice"].append(origin)
        seen.add(key)
        if empty(row):
            found["empty"].append(origin)
            continue
        for name, look in LOOKS.items():
            if look(row):
                found[name].append(origin)
    return seen, found, count


def _rows(given: Dataset, start: float) -> Iterator[dict[str, Any]]:
    for first in range(0, len(given), CHUNK):
        if time.monotonic() - start > BUDGET:
            return
        columns = given[first : first + CHUNK]
        yield from (dict(zip(columns, values)) for values in zip(*columns.values()))


def _key(row: dict[str, Any]) -> int:
    return hash(json.dumps({name: value for name, value in row.items() if name != "origin"}, sort_keys=True))


def empty(row: dict[str, Any]) -> bool:
    """Whether a text that must say something says nothing."""
    texts = [row.get(name) for name in ("text", "source", "target", "question") if name in row]
    texts += row.get("texts") or []
    return any(text is None or not str(text).strip() for text in texts) or row.get("messages") == []


def _same(row: dict[str, Any]) -> bool:
    return "chosen" in row and row["chosen"] == row["rejected"]


def _silent(row: dict[str, Any]) -> bool:
    """Whether the assistant is to answer and says nothing at the end; a call of a tool is an answer."""
    for name in ("messages", "chosen", "completion"):
        if said := row.get(name):
            last = said[-1]
            if last["role"] != "assistant" or not (str(last.get("content") or "").strip() or last.get("tool_calls")):
                return True
    return False


def _order(row: dict[str, Any]) -> bool:
    """Whether a system message comes late, or one side speaks twice."""
    roles = [message["role"] for name in ("messages", "prompt") for message in row.get(name) or []]
    late = "system" in roles[1:]
    return late or any(one == other != "tool" for one, other in zip(roles, roles[1:]))


LOOKS = {"same": _same, "silent": _silent, "order": _order}
