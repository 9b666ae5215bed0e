"""`smolrecipes chat`: talk with trained models in the terminal, or answer the lines of standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolrecipes.cli.folder import decoding, is_adapter, model_folder, printable
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.cli.conversation import Conversation


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Runs, checkpoints, or folders with a model; by default runs/last."),
    ] = None,
    system: Annotated[str, typer.Option(help="The system message.")] = "",
    tools: Annotated[str, typer.Option(metavar="FILE.json", help="Functions that the models may call.")] = "",
    temperature: Annotated[
        float | None,
        typer.Option(min=0, help="0 takes the likeliest token; by default as in the run's recipe."),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens to answer with at most; by default 256, or as in the run's recipe if more."),
    ] = None,
) -> None:
    """Talk with a trained model, or ask several side by side; /help lists the orders. Lines on standard input are answered
    one by one."""
    given = models or ["runs/last"]
    folders = [model_folder(Path(model), adapters=True) for model in given]
    _check_write(folders)
    how = [decoding(folder, 256, temperature=temperature, max_new_tokens=max_new_tokens) for folder in folders]
    from smolrecipes.cli.calls import read_tools

    functions = read_tools(Path(tools)) if tools else []
    from smolrecipes.cli.conversation import Conversation
    from smolrecipes.cli.orders import offer

    talks = [Conversation(folder, own, system, name) for folder, own, name in zip(folders, how, given)]
    offer(talks, functions)
    for stream in (sys.stdin, sys.stdout):  # what is no text in the terminal's encoding is no reason to end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.stdin.isatty():
        _terminal(talks)
    else:
        _lines(talks)


def _lines(talks: list[Conversation]) -> None:
    from smolrecipes.cli.answers import answer_line
    from smolrecipes.cli.orders import is_order, obey

    for line in map(str.strip, sys.stdin):
        if is_order(line):
            if not obey(talks, line):
                return
        elif line:
            answer_line(talks, line)


def _terminal(talks: list[Conversation]) -> None:
    from smolrecipes.cli.answers import say, turn
    from smolrecipes.cli.orders import HELP, is_order, obey
    from smolrecipes.console import console

    _welcome(talks, HELP)
    while True:
        try:
            line = console().input("[bold]> [/bold]").strip()
            if is_order(line):
                if not obey(talks, line):
                    return
            elif line:
                turn(talks, line)
        except EOFError:
            return
        except KeyboardInterrupt:
            say("\n/quit ends, and so does Ctrl-D")
        except RecipeError as error:
            print(printable(str(error)))


def _welcome(talks: list[Conversation], orders: str) -> None:
    from smolrecipes.console import say

    for talk in talks:
        alone = "makes another of each text" if talk.model.config.is_encoder_decoder else "continues texts"
        what = f"on {talk.device}" if talk.template else f"has no chat template: it {alone}"
        say(f"{talk.folder} {what}{f'; {orders}' if talk is talks[-1] else ''}")


def _check_write(folders: list[Path]) -> None:
    """That every model writes; of an adapter alone its recipe tells."""
    from smolrecipes.ask.load import check_writes

    for folder in folders:
        if not is_adapter(folder):
            check_writes(folder, "it does not chat; 'smolrecipes try' asks it")
