"""The `columns` option: canonical names mapped to a column, or to a Jinja template over the columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from smolrecipes.errors import RecipeError, nearest

Row = dict[str, Any]

CANONICAL = (
    *("text", "texts", "label", "source", "target", "prompt", "completion", "chosen", "rejected"),
    *("messages", "tools", "system", "user", "assistant"),
    *("tokens", "tags", "choices", "question", "context", "answers"),
)
"""What `columns` can map: `{"source": "question"}`, `{"text": "{{ title }}\\n{{ body }}"}`."""


def is_template(value: str) -> bool:
    """Whether a mapping's value is a template, not the name of a column."""
    return "{{" in value or "{%" in value


def mapper(columns: dict[str, str], found: Collection[str], name: str) -> Callable[[Row, str], Row]:
    """A function that adds the mapped columns to a row; `found` are the columns that `name` has."""
    makers: dict[str, Callable[[Row, str], Any]] = {}
    for canonical, value in columns.items():
        where = f"data.columns: {canonical!r}"
        if canonical not in CANONICAL:
            hint = nearest(canonical, CANONICAL) or f"; it can be {', '.join(CANONICAL)}"
            raise RecipeError(f"data.columns maps {canonical!r}, which no rows have{hint}")
        if is_template(value):
            makers[canonical] = _template(value, where)
        elif value in found:
            makers[canonical] = _column(value)
        else:
            hint = nearest(value, found) or f"; it has {', '.join(sorted(found)) or 'none'}"
            raise RecipeError(f"{where}: {name} has no column {value!r}{hint}")
    return lambda row, where: {**row, **{canonical: make(row, where) for canonical, make in makers.items()}}


def mentioned(columns: dict[str, str]) -> set[str]:
    """The columns that the mapping reads."""
    words = {word for value in columns.values() if is_template(value) for word in re.findall(r"\w+", value)}
    return words | {value for value in columns.values() if not is_template(value)}


def _column(name: str) -> Callable[[Row, str], Any]:
    return lambda row, where: row.get(name)


def _template(source: str, option: str) -> Callable[[Row, str], str]:
    from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        finalize=lambda value: "" if value is None else value,  # a null column is empty text, not the word None
    )
    try:
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        raise RecipeError(f"{option}: the template {source!r} is broken: {error.message}") from None

    def render(row: Row, where: str) -> str:
        try:
            return template.render({"row": row, **row})
        except UndefinedError as error:
            missing = re.search(r"'(\w+)' is undefined", str(error))
            hint = nearest(missing[1], row) if missing else ""
            raise RecipeError(f"{where}: {option}: {error}{hint or f'; the row has {known(row)}'}") from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise RecipeError(f"{where}: {option}: the template fails: {error}") from None

    return render


def known(names: Collection[str]) -> str:
    """Column names as an error lists them, at most twelve."""
    names = list(names)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "no columns"
