"""What `smolrecipes data` prints of rows: one page for people."""

from __future__ import annotations

from typing import Any

from smolrecipes.profile.languages import UNKNOWN, grouped
from smolrecipes.profile.page import conversations, listing, quantiles, sentence

WIDTH = 40
"""Of the longest bar."""
LABELS = 12


def show(facts: dict[str, Any]) -> None:
    """Columns, lengths, languages, labels, conversations, oddities."""
    from smolrecipes.cli.folder import printable
    from smolrecipes.console import say

    for line in facts["read"]:
        say(printable(line))
    say(printable(sentence(facts)))
    if facts["columns"]:
        say("columns   " + printable(", ".join(f"{name} ({kind})" for name, kind in facts["columns"].items())))
    say("", _table(*quantiles(facts)), "", *_bars(facts["histogram"]), "")
    for title, text in _lines(facts):
        say(f"{title:<10}{printable(text)}")
    _oddities(facts["oddities"])


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    spoken = facts["languages"]
    told = (
        UNKNOWN
        if spoken is None
        else f"{listing(grouped(spoken, facts['languages_of']))} (of {facts['languages_of']} rows)"
    )
    found = [("languages", told)]
    if facts["labels"]:
        found.append(("labels", listing(facts["labels"], LABELS)))
    return found + [(f"{name}  ", text) for name, text in conversations(facts["conversations"] or {})]


def _bars(counts: dict[str, int]) -> list[str]:
    most = max(counts.values())
    return [f"{label:>14}  {'█' * -(-WIDTH * count // most):<{WIDTH}}  {count:,}" for label, count in counts.items()]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _oddities(found: dict[str, Any]) -> None:
    from smolrecipes.cli.folder import printable
    from smolrecipes.console import say

    for what, one in found.items():
        more = " ..." if one["rows"] > len(one["places"]) else ""
        say(
            f"odd       {what}: {one['rows']:,} row{'s' * (one['rows'] != 1)} ({printable(', '.join(one['places']))}{more})"
        )
    if not found:
        say("odd       nothing was found")
