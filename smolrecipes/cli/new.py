"""`smolrecipes new`: a recipe file to start from, with copies of the recipes it builds on."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from smolrecipes.errors import RecipeError, nearest


def command(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="The new file: mine, or mine.py; with --data named after the data.")
    ] = "",
    source: Annotated[
        str, typer.Option("--from", metavar="RECIPE", help="The recipe to start from.", show_default="orpo_lora")
    ] = "",
    data: Annotated[str, typer.Option(metavar="FILE", help="Your own rows: a recipe that trains on them.")] = "",
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="With --data: org/name, folder or recipe.", show_default="sft_chat")
    ] = "",
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="NAME[:VALUE]", help="With --data: what to export, as in gguf:q4_k_m."),
    ] = None,
) -> None:
    """A recipe file to edit, in this folder; those it builds on are copied beside it, so that edits take effect."""
    if data and source:
        raise RecipeError("--from starts from a recipe, and --data from rows, by --model: give one of them")
    if data:
        _from_data(name, data, model or "sft_chat", to or [])
        return
    if to or model:
        raise RecipeError(f"{'--to' if to else '--model'} needs --data FILE")
    if not name:
        raise RecipeError("new: name the file, as in new mine, or give --data FILE")
    _from_recipe(_target(name), source or "orpo_lora")


def _from_recipe(target: Path, source: str) -> None:
    """A copy of a recipe, and of those that it builds on."""
    copies = _copies(source, target)
    _check(target, copies)
    for path, text in copies.items():
        if path.exists():
            typer.echo(f"kept     {path}  (it is the same)")
        else:
            path.write_text(text, encoding="utf-8")
            typer.echo(f"written  {path}")
    typer.echo(f"\nnext     smolrecipes show {target}\n         smolrecipes run {target}")


def _from_data(name: str, data: str, model: str, to: list[str]) -> None:
    """The recipe for one's own rows, and what it is expected to take."""
    from smolrecipes.cli.expected import expected
    from smolrecipes.cli.from_data import plan

    stem = "".join(sign if sign.isalnum() else "_" for sign in Path(data).stem)
    target = _target(name or f"{stem}_recipe")
    _check(target, {target: ""})
    found = plan(data, model, to)
    target.write_text(found.text(), encoding="utf-8")
    typer.echo(f"written  {target}")
    lines, runs = expected(found, target)
    for line in lines:
        typer.echo(line)
    if not runs:
        raise typer.Exit(2)
    typer.echo(f"\nnext     smolrecipes run {target}")


def _target(name: str) -> Path:
    return Path(name if name.endswith(".py") else f"{name}.py")


def _copies(source: str, target: Path) -> dict[Path, str]:
    """The text of every file to write, the new one first."""
    from smolrecipes.load import SHIPPED

    copies = {target: _local(_text(_module(source)))}
    waiting = _builds_on(_text(_module(source)))
    while waiting:
        name = waiting.pop(0)
        path = target.with_name(f"{name}.py")
        if path == target:
            raise RecipeError(
                f"{target}: {source} builds on the recipe {name}, which is copied beside it; take another name"
            )
        if path not in copies:
            text = _text(f"{SHIPPED}{name}")
            copies[path] = _local(text)
            waiting += _builds_on(text)
    return copies


def _check(target: Path, copies: dict[Path, str]) -> None:
    if not target.stem.isidentifier():
        raise RecipeError(f"{target}: a recipe can be imported, so its name is letters, digits and _ only")
    if not target.parent.is_dir():
        raise RecipeError(f"{target}: there is no folder {target.parent}; make it first")
    if importlib.util.find_spec(target.stem) is not None and not target.exists():
        raise RecipeError(
            f"{target}: '{target.stem}' is an installed Python module, which it would hide; take another name"
        )
    for path, text in copies.items():
        if path.exists() and (path == target or path.read_text(encoding="utf-8") != text):
            mend = "take another name or folder"
            if path != target:
                mend = f"{target.name} needs it as it is shipped, so take another folder"
            raise RecipeError(f"{path} is there already and is not overwritten; {mend}")


def _module(source: str) -> str:
    from smolrecipes.registry import registry

    recipes = registry().recipes()
    if source not in recipes:
        raise RecipeError(f"no recipe named '{source}'{nearest(source, recipes)} (installed: {', '.join(recipes)})")
    return recipes[source]


def _text(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RecipeError(f"the recipe {module} is registered, but there is no such module")
    return Path(spec.origin).read_text(encoding="utf-8")


def _builds_on(text: str) -> list[str]:
    from smolrecipes.load import shipped_imports

    return [name for name, node in shipped_imports(text) if isinstance(node, ast.ImportFrom)]


def _local(text: str) -> str:
    """The text with the shipped recipes it imports replaced by the copies beside it."""
    from smolrecipes.load import SHIPPED, shipped_imports

    lines = text.splitlines(keepends=True)
    for _, node in shipped_imports(text):
        line = lines[node.lineno - 1]
        line = line.replace(f"from {SHIPPED}", "from ", 1)
        lines[node.lineno - 1] = line.replace(f"from {SHIPPED[:-1]} import ", "import ", 1)
    return "".join(lines)
