"""`smolrecipes check`: what would go wrong with a recipe, before anything is trained."""

from __future__ import annotations

import json as _json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolrecipes.cli.run import Overrides, Source
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.check import Finding
    from smolrecipes.check.subject import Subject

WHOLE = ("sequence-classification", "regression", "multiple-choice", "question-answering")
"""Heads that learn something about all of what is read."""


def command(
    recipe: Source,
    overrides: Overrides = None,
    deep: Annotated[bool, typer.Option("--deep", help="Build the model as well, and measure a step.")] = False,
    runs: Annotated[Path, typer.Option(help="Where runs lie; what a scan of the rows found is kept there.")] = Path(
        "runs"
    ),
    xray: Annotated[int, typer.Option(min=0, help="Examples to show with what is learned of them.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="The findings, to be read by programs.")] = False,
) -> None:
    """Say what would go wrong, or looks healthy and is wrong; errors end with 2, warnings with 0. Nothing is trained."""
    from smolrecipes.check.check import deeper, light
    from smolrecipes.check.finding import Finding
    from smolrecipes.check.shadow import shadowed
    from smolrecipes.load import load_recipe

    try:
        loaded = load_recipe(recipe, overrides or [])
    except RecipeError as error:
        if not json:
            raise
        refused = Finding("recipe-refused", str(error))
        typer.echo(_json.dumps({"findings": [refused.row()], "notes": []}, indent=1))
        raise typer.Exit(2) from None
    findings, subject = light(loaded, runs / ".cache")
    findings = [*shadowed(recipe), *findings]
    notes: list[str] = []
    if deep and subject is not None:
        more, notes = deeper(subject)
        findings += more
    if json:
        typer.echo(_json.dumps({"findings": [found.row() for found in findings], "notes": notes}, indent=1))
    else:
        _show(findings, notes, subject, xray)
    if any(found.level == "error" for found in findings):
        raise typer.Exit(2)


def _show(findings: list[Finding], notes: list[str], subject: Subject | None, count: int) -> None:
    from rich.text import Text

    from smolrecipes.console import console, say

    if subject is not None:
        _xray(subject, count)
    for found in findings:
        style = "bold red" if found.level == "error" else "yellow"
        line = Text.assemble((f"{found.level}: ", style), (f"{found.code}: ", "bold"), found.sentence)
        console().print(line, soft_wrap=True)
    for note in notes:
        say(note)
    errors = sum(found.level == "error" for found in findings)
    warnings = len(findings) - errors
    say(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}")


def _xray(subject: Subject, count: int) -> None:
    """Examples as they are read: what is learned stands out."""
    from numpy.random import default_rng
    from rich.text import Text

    from smolrecipes.check.labels import sequences, xray
    from smolrecipes.console import say

    whole = subject.objective.head in WHOLE
    shown = [(row, example) for row, example in subject.sample if example is not None][:count]
    for row, prepared in shown:
        example = subject.objective.draw(dict(prepared), default_rng(subject.recipe.seed), subject.tokenizer)
        ids, learned = sequences(example)[0]
        pieces = xray(example, subject.tokenizer)
        marked = (_marked(text, "" if whole else "green" if learns else "dim") for text, learns in pieces)
        say(f"{row['origin']}: {_head(whole, len(ids), sum(learned))}", Text.assemble(*marked), "")


def _head(whole: bool, tokens: int, learned: int) -> str:
    """What the example that follows shows."""
    if whole:
        return f"{tokens:,} tokens are read; what is learned is the label"
    return f"{learned:,} of {tokens:,} tokens are learned (green; in brackets without colours)"


def _marked(text: str, style: str) -> tuple[str, str]:
    from smolrecipes.console import console

    return (f"[{text}]" if style == "green" and not console().is_terminal else text, style)
