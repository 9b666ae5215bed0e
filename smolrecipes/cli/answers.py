"""Answers in the terminal: one as it comes, or those of several models side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smolrecipes.cli.calls import Message, notes, written
from smolrecipes.cli.folder import printable
from smolrecipes.console import console
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from rich.table import Table

    from smolrecipes.cli.conversation import Conversation

Turns = list[tuple["Conversation", Iterator[str]]]
NARROW = 24
"""Columns of fewer characters than this are not read with ease: then answers stand below each other."""
CALL = "cyan"


def turn(talks: list[Conversation], line: str) -> None:
    """Asks every model, and goes on with what the functions give that they call; an interrupt undoes all of it."""
    before = [talk.messages for talk in talks]
    beside = len(talks) > 1
    try:
        answered = show([(talk, talk.answer(line)) for talk in talks], beside)
        while told := results(answered):
            answered = show([(talk, talk.told(given)) for talk, given in told], beside)
    except KeyboardInterrupt:
        for talk, messages in zip(talks, before):
            talk.messages = messages
        say("\nstopped; this question and what was answered are forgotten")


def show(turns: Turns, beside: bool) -> list[Conversation]:
    """Writes the answers as they come, with the functions they call; gives those who answered."""
    if beside and console().width // len(turns) >= NARROW:
        return _columns(turns)
    return [talk for talk, pieces in turns if _below(talk, pieces, beside)]


def results(talks: list[Conversation]) -> list[tuple[Conversation, list[Message]]]:
    """What the called functions give, as the person types it: asked once, whichever models call; nothing skips it."""
    typed: dict[str, str] = {}
    found = []
    for talk in talks:
        given: list[Message] = []
        for call in talk.calls() or []:
            if written(call) not in typed:
                typed[written(call)] = _typed(call["name"])
            if result := typed[written(call)]:
                given.append({"role": "tool", "name": call["name"], "content": result})
        found += [(talk, given)] if given else []
    return found


def answer_line(talks: list[Conversation], line: str) -> None:
    """The answers alone, for standard input that no person types; of several models each behind its name."""
    for talk in talks:
        print(f"{talk.name}: " if len(talks) > 1 else "", end="")
        for piece in talk.answer(line):
            print(printable(piece), end="", flush=True)
        print()


def say(text: str) -> None:
    """Says what an order did, to a person: whoever sends lines wants the answers alone."""
    if sys.stdin.isatty():
        console().print(printable(text), style="dim", markup=False)


def _typed(name: str) -> str:
    from rich.text import Text

    try:
        return console().input(Text(printable(f"result of {name}> "), style=CALL)).strip()
    except EOFError:
        return ""


def _below(talk: Conversation, pieces: Iterator[str], named: bool) -> bool:
    from rich.text import Text

    if named:
        console().print(Text(printable(talk.name), style="bold"))
    try:
        for piece in pieces:
            print(printable(piece), end="", flush=True)
    except RecipeError as error:  # such as a conversation that has become too long: /reset mends it
        print(printable(str(error)))
        return False
    print()
    for note in notes(talk.calls(), talk.tools):
        console().print(Text(printable(note), style=CALL))
    return True


def _columns(turns: Turns) -> list[Conversation]:
    """One column for each model, filled from left to right."""
    from rich.live import Live

    said, ends, answered = ["" for _ in turns], ["" for _ in turns], []
    with Live(get_renderable=lambda: _table(turns, said, ends), console=console(), refresh_per_second=8):
        for index, (talk, pieces) in enumerate(turns):
            try:
                for piece in pieces:
                    said[index] += printable(piece)
            except RecipeError as error:
                ends[index] = f"{error}"
                continue
            ends[index] = "\n".join(notes(talk.calls(), talk.tools))
            answered.append(talk)
    return answered


def _table(turns: Turns, said: list[str], ends: list[str]) -> Table:
    from rich.box import MINIMAL
    from rich.table import Table
    from rich.text import Text

    made = Table(box=MINIMAL, width=console().width - 3)  # an interrupt, echoed as ^C, then wraps no line
    for talk, _ in turns:
        made.add_column(Text(printable(talk.name), style="bold"), ratio=1, overflow="fold")
    cells = [Text(text) for text in said]
    for cell, end in zip(cells, ends):
        cell.append(printable(f"\n{end}" if end and cell else end), style=CALL)
    made.add_row(*cells)
    return made
