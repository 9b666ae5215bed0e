"""What `smolrecipes tokens` prints: a table for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from smolrecipes.tokenizers.report import Figures, Report


def as_json(names: list[str], reports: list[Report]) -> None:
    """Everything that was counted, and the ratios."""
    from json import dumps

    ratios = ("fertility", "bytes_per_token", "unknown_rate")
    found = []
    for name, one in zip(names, reports, strict=True):
        groups = {
            group: {**asdict(figures), **{ratio: getattr(figures, ratio) for ratio in ratios}}
            for group, figures in one.groups.items()
        }
        found.append({"source": name, **asdict(one), "groups": groups})
    typer.echo(dumps(found, ensure_ascii=False, indent=2))


def table(names: list[str], reports: list[Report]) -> None:
    """A column for each tokenizer; below, the same text cut by each."""
    from rich.table import Table
    from rich.text import Text

    from smolrecipes.console import say

    shown = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("", "", *names):
        shown.add_column(Text(title), overflow="fold")
    shown.add_row("vocabulary", "", *(f"{one.vocabulary:,}" for one in reports))
    shown.add_row("used here", "", *(f"{one.used:,} ({one.used / one.vocabulary:.0%})" for one in reports))
    for title, cell in ROWS_OF_A_GROUP.items():
        for number, group in enumerate(reports[0].groups):
            shown.add_row("" if number else title, group, *(cell(one.groups[group]) for one in reports))
    shown.add_row("longest tokens", "", *(Text(" ".join(map(repr, one.longest))) for one in reports))
    say(shown)
    for group in reports[0].split:
        for name, one in zip(names, reports, strict=True):
            say("", f"{name}, {group}", "|".join(one.split[group]))


def _back(figures: Figures) -> str:
    """The share of characters that come back, and what the others lose."""
    return f"{1 - figures.changed:.1%}" + (f" ({', '.join(figures.reasons)})" if figures.reasons else "")


ROWS_OF_A_GROUP = {
    "tokens per word": lambda figures: f"{figures.fertility:.2f}",
    "bytes per token": lambda figures: f"{figures.bytes_per_token:.2f}",
    "unknown": lambda figures: f"{figures.unknown_rate:.1%}",
    "comes back": _back,
}
"""What is shown of each group, by its title."""
