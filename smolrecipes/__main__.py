"""`smolrecipes`, `python -m smolrecipes` and `accelerate launch -m smolrecipes`: commands, or a recipe to run."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smolrecipes.cli import COMMANDS, REPORT
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.launch import LAUNCHED
from smolrecipes.starting import begun

OTHERS_WAIT = 3.0
"""Seconds that other ranks wait before they speak: when rank 0 fails too, the launcher has ended them by then."""


def main() -> None:
    """The command line; exits with 2 for the user's mistake, which is one sentence on stderr."""
    warnings.formatwarning = _warning
    sys.exit(_status(sys.argv[1:]))


def _status(arguments: Sequence[str]) -> int:
    words = list(arguments)
    try:
        words = _with_command(words)
        return _called(words)
    except RecipeError as error:
        _tell(error)
        return error.code
    except SystemExit as done:  # what a script or a library that we call ends by
        if isinstance(done.code, str):
            _tell(RecipeError(done.code))
            return RecipeError.code
        return done.code or 0
    except KeyboardInterrupt:
        return _interrupted(words)


def _called(words: list[str]) -> int:
    """The exit code of a command; what typer calls wrong usage is a RecipeError."""
    from typer import Abort

    from smolrecipes.cli.app import app

    command = app(words)
    begun()
    try:
        code = command(args=words, prog_name="smolrecipes", standalone_mode=False)
    except Abort:
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own mistakes, whose class has moved from click to typer
            raise
        raise RecipeError(_usage(error, words)) from None
    if code == 130:  # typer's own for an interrupt
        return _interrupted(words)
    return code if isinstance(code, int) else 0


def _interrupted(words: list[str]) -> int:
    if os.environ.get("RANK", "0") == "0":
        more = (
            "; the same command goes on from the newest checkpoint (training.save_every says how often one is saved), "
            "or starts over where there is none yet"
        )
        print(f"stopped{more if words[:1] == ['run'] else ''}", file=sys.stderr)
    return 130


def _usage(error: Any, words: list[str]) -> str:
    """One sentence for typer's usage block."""
    context = getattr(error, "ctx", None)
    name = words[0] if words[0] in COMMANDS else ""
    wrong = getattr(error, "option_name", "")
    ask = f"; 'smolrecipes {name} --help' shows how" if name else "; 'smolrecipes --help' shows how"
    if type(error).__name__ != "NoSuchOption" or context is None:
        what = " ".join(str(error.format_message()).split()).rstrip(".")
        return f"{f'{name}: ' if name else ''}{what[0].lower()}{what[1:]}{ask}"
    known = [word for parameter in context.command.params for word in parameter.opts if word.startswith("--")]
    return f"{name or 'smolrecipes'} has no option '{wrong}'{nearest(wrong, [*known, '--help']) or ask}"


def _with_command(arguments: list[str]) -> list[str]:
    """A first argument that is neither a command nor an option is a recipe to run."""
    first = arguments[0] if arguments else "--help"
    if first in COMMANDS or first.startswith("-"):
        return arguments or [first]
    if first.isidentifier() and not Path(first).exists():
        _check_spelling(first)
    return ["run", *arguments]


def _check_spelling(word: str) -> None:
    """A misspelt command is not a missing recipe."""
    import difflib

    from smolrecipes.registry import registry

    known = [*COMMANDS, *registry().recipes()]
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    if word not in known and near and near[0] in COMMANDS:
        raise RecipeError(f"'{word}' is neither a command nor a recipe; did you mean 'smolrecipes {near[0]}'?")


def _tell(error: RecipeError) -> None:
    """The sentence, once: from rank 0, or from another rank that fails alone; a launching `run` says it itself."""
    rank = os.environ.get("RANK", "0")
    if rank != "0" and not error.code:
        return  # every rank stops in good order, and rank 0 says it
    if rank != "0":
        time.sleep(OTHERS_WAIT)
    sentence = f"error: {error}" if rank == "0" else f"error on rank {rank}: {error}"
    if not error.code:
        sentence = f"{error}; {_again()}"
    if REPORT in os.environ:
        _report(Path(os.environ[REPORT]), error.code, sentence)
    else:
        print(sentence, file=sys.stderr, flush=True)


def _again() -> str:
    """How to go on from a checkpoint."""
    processes = os.environ.get("SMOLRECIPES_PROCESSES")
    if LAUNCHED and not processes:
        return "to go on, give the same command again"
    from smolrecipes.summary import launcher

    words = [word for word in sys.argv[1:] if word != "--fresh"]
    return f"to go on: {launcher()} {shlex.join([*words, *(['--processes', processes] if processes else [])])}"


def _report(file: Path, code: int, sentence: str) -> None:
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.write_text(json.dumps({"code": code, "sentence": sentence}), encoding="utf-8")
    partial.replace(file)


_python_format = warnings.formatwarning


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Our own warnings as sentences, from rank 0; everybody else's as Python writes them."""
    if Path(__file__).parent not in Path(filename).parents:
        return _python_format(message, category, filename, lineno, line)
    return f"warning: {message}\n" if os.environ.get("RANK", "0") == "0" else ""


if __name__ == "__main__":
    main()
