"""The typer application, with only the command that was asked for imported."""

from __future__ import annotations

import importlib
from typing import Any

import typer

from smolrecipes.cli import COMMANDS

SETTINGS: dict[str, dict[str, Any]] = {
    "list": {"options_metavar": "[KIND] [OPTIONS]", "context_settings": {"allow_extra_args": True}},
}
"""`list` finds KIND in its context: for a declared one typer imports pydantic, which takes as long as all the rest."""
HELP = ["-h", "--help"]
EPILOG = "A recipe alone runs it: smolrecipes orpo_lora objective.beta=0.2"


def app(arguments: list[str]) -> typer.Typer:
    """The command that the arguments begin with, or else all of them; reading the others' options takes its time.

    Plain help, since typer's rich help takes longer to import than everything else. Where no help is asked for there is
    no option for it: typer imports pydantic to read it.
    """
    wanted = [name for name in COMMANDS if name in arguments[:1]] or list(COMMANDS)
    asked = [word for word in HELP if word in arguments]
    made = typer.Typer(
        help=f"Train small language models end to end. {EPILOG}",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
        context_settings={"help_option_names": HELP if asked else []},
    )
    made.callback()(_options)
    for name in wanted:
        module: Any = importlib.import_module(f"smolrecipes.cli.{name}")
        made.command(name, short_help=COMMANDS[name], **SETTINGS.get(name, {}))(module.command)
    return made


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"smolrecipes {version('smolrecipes')}")
        raise typer.Exit


def _options(
    release: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """What holds for every command."""
