"""`smolrecipes prove`: that accumulation, packing, processes, resuming, saving and merging change nothing."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from smolrecipes.cli.run import Overrides, Source


def command(recipe: Source, overrides: Overrides = None) -> None:
    """Show on a small copy of the model and the recipe's own rows what must not change the result; takes about a minute.

    Ends with 1 where something does change it, and names the first step and tensor that differ.
    """
    from rich.text import Text

    from smolrecipes.cache import kept_in
    from smolrecipes.console import console, say
    from smolrecipes.load import load_recipe
    from smolrecipes.origin import kept_for
    from smolrecipes.prove.proofs import proofs

    start, broken = time.monotonic(), 0
    marks = {True: ("holds  ", "green"), False: ("BROKEN ", "bold red"), None: ("unknown", "yellow")}
    with kept_in(kept_for(Path(recipe))):  # what a run has prepared is found again
        for proof in proofs(load_recipe(recipe, overrides or [])):
            broken += proof.holds is False
            line = Text.assemble(marks[proof.holds], f"  {proof.what:<42}", (proof.how, "dim"))
            console().print(line, soft_wrap=True)
    say(f"{broken or 'nothing'} of it changes the result; {time.monotonic() - start:.0f} s")
    if broken:
        raise typer.Exit(1)
