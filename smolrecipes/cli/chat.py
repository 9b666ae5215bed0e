"""`smolrecipes chat`: talk with a trained model in the terminal, or answer the lines of standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolrecipes.cli.folder import decoding, model_folder, printable
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.cli.conversation import Conversation

HELP = "/quit ends, /reset forgets the conversation, /system TEXT sets the system message"


def command(
    model: Annotated[str, typer.Argument(metavar="RUN", help="A run, or a folder with a model.")] = "runs/last",
    system: Annotated[str, typer.Option(help="The system message.")] = "",
    temperature: Annotated[
        float | None,
        typer.Option(min=0, help="0 takes the likeliest token; by default as in the run's recipe."),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens to answer with at most; by default 256, or as in the run's recipe if more."),
    ] = None,
) -> None:
    """Talk with a trained model; answers are written as they come. Lines on standard input are answered one by one."""
    folder = model_folder(Path(model))
    _check_writes(folder)
    how = decoding(folder, 256, temperature=temperature, max_new_tokens=max_new_tokens)
    from smolrecipes.cli.conversation import Conversation
    from smolrecipes.console import say

    talk = Conversation(folder, how, system)
    if not sys.stdin.isatty():
        for line in sys.stdin:
            if not _order(talk, line.strip()):
                break
        return
    say(f"{folder} on {talk.device}: {HELP}" if talk.template else f"{folder} has no chat template: it continues texts")
    _terminal(talk)


def _terminal(talk: Conversation) -> None:
    from smolrecipes.console import console

    while True:
        try:
            line = console().input("[bold]> [/bold]").strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            _confirm("\n/quit ends, and so does Ctrl-D")
            continue
        try:
            if not _order(talk, line):
                return
        except KeyboardInterrupt:
            _confirm("\nstopped; this question and what was answered are forgotten")
        except RecipeError as error:  # such as a conversation that has become too long: /reset mends it
            print(error)


def _order(talk: Conversation, line: str) -> bool:
    """Obeys or answers one line; False when it asks to end."""
    word, _, rest = line.partition(" ")
    if word == "/quit":
        return False
    if word == "/reset":
        talk.reset()
        _confirm(f"the conversation is forgotten{'; the system message stays' if talk.system else ''}")
    elif word == "/system":
        talk.begin(rest)
        _confirm(f"a new conversation, {'with that' if rest else 'without a'} system message")
    elif word.startswith("/") and word[1:].isalpha():
        print(f"there is no {word}; {HELP}")
    elif line:
        for piece in talk.answer(line):
            print(printable(piece), end="", flush=True)
        print()
    return True


def _confirm(text: str) -> None:
    """Says what an order did, to a person: whoever sends lines wants the answers alone."""
    from smolrecipes.console import console

    if sys.stdin.isatty():
        console().print(text, style="dim", markup=False)


def _check_writes(folder: Path) -> None:
    """That the model writes text: transformers would give any other a head of random weights."""
    import json

    saved = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or [""]
    if saved[0].endswith("Classification"):
        raise RecipeError(f"{folder}: this model scores texts and writes none ({saved[0]}), so it does not chat")
