"""`smolrecipes data`: a look at rows, what the steps of a recipe make of them, and the folder that they are published as."""

from __future__ import annotations

import json as _json
import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from smolrecipes.cards.card import Card
    from smolrecipes.cards.folder import Form
    from smolrecipes.kinds import Data
    from smolrecipes.recipe import Recipe

LINE = 10_000
"""Characters of an odd line, unless it is said how many."""


def command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Files, a hub id, toy:NAME, a recipe, or a file with `data = ...`.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION=VALUE]...", help="""data.columns='{"text": "body"}'; of a recipe, any."""),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the rows there, with their card.")] = None,
    form: Annotated[str, typer.Option("--format", help="Of what is written: parquet or jsonl.")] = "parquet",
    shard_rows: Annotated[
        int | None, typer.Option(min=1, help="Rows of each file.", show_default="about 256 MB of text")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write also where something lies, which is kept.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as a page.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Look at all rows, however long it takes.")] = False,
    line: Annotated[int, typer.Option(min=1, help="Characters from which on a line is odd.")] = LINE,
    runs: Annotated[Path, typer.Option(help="Where runs lie; what steps make is kept there.")] = Path("runs"),
    where: Annotated[
        str, typer.Option("--on", metavar="EXECUTOR", help="Machines: ray, or slurm:partition=cpu,time=04:00:00.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="The numbers, to be read by programs.")] = False,
) -> None:
    """What rows look like: columns, lengths, languages, duplicates, oddities. Of a recipe with steps, what each did.

    With --out the rows are written as Parquet or JSON lines, as datasets and the hub read them, with a data card.
    """
    from smolrecipes.cache import kept_in
    from smolrecipes.cards.card import has_steps

    written = _form(form, shard_rows, out, force)
    recipe, sources = _found(source, changes or [])
    steps = any(map(has_steps, sources))
    _check_read(steps, out is not None, where, everything, line)
    with kept_in(runs / ".cache"):
        if out is None and not steps:
            _profile(sources[0], everything, line, html, json)
            return
        with (
            redirect_stdout(sys.stderr if json else sys.stdout),
            _on(where, runs),
        ):  # the numbers alone are for programs
            made = _prepared(source, recipe, sources, out, written, force)
    _tell(made, out, html, json)


def _on(where: str, runs: Path) -> AbstractContextManager[None]:
    """The machines that do the work; this one's cores where none are named."""
    from smolrecipes.pipeline.clusters import named
    from smolrecipes.pipeline.stages import spread_by

    return spread_by(named(where, runs / "logs")) if where else nullcontext()


def _check_read(steps: bool, written: bool, where: str, everything: bool, line: int) -> None:
    """RecipeError for an option that nothing reads."""
    if where and not steps:
        raise RecipeError(f"--on {where}: machines do the steps of data, and this has none; leave it out")
    if (steps or written) and (everything or line != LINE):
        what = "all rows go through the steps" if steps else "all rows are written"
        raise RecipeError(
            f"{'--all' if everything else f'--line {line}'} is of a look at data, and here {what}; leave it out"
        )


def _form(form: str, shard_rows: int | None, out: Path | None, force: bool) -> Form:
    from smolrecipes.cards.folder import Form

    if form not in ("parquet", "jsonl"):
        raise RecipeError(f"--format {form}: rows are written as parquet or jsonl{nearest(form, ['parquet', 'jsonl'])}")
    if out is None and (form, shard_rows) != ("parquet", None):
        raise RecipeError("--format and --shard-rows are of what is written: add --out DIR")
    if out is None and force:
        raise RecipeError("--force is of the folder that is written to: add --out DIR")
    return Form(form, shard_rows)


def _found(source: str, changes: list[str]) -> tuple[Recipe | None, list[Data]]:
    """The recipe that a source names, if it does; and its data, or the data that it names or defines."""
    from smolrecipes.kinds import Data
    from smolrecipes.load import data_in, load_recipe
    from smolrecipes.named import named, resolve, resolved

    if Path(source).suffix == ".py" and (rows := data_in(source)):
        return None, [_changed(resolved(rows), changes)]
    if _is_recipe(source):
        recipe = resolve(load_recipe(source, changes))
        return recipe, [one for one in (recipe.data, recipe.validation) if isinstance(one, Data)]
    chosen = named("data", source, "data")
    made: Any = chosen.component(**chosen.options)
    return None, [_changed(made, changes)]


def _is_recipe(source: str) -> bool:
    """Whether it names a recipe, and not rows."""
    from importlib.util import find_spec

    from smolrecipes.named import SUFFIXES, run_at
    from smolrecipes.registry import registry

    path, recipes = Path(source).expanduser(), registry().recipes()
    if path.suffix == ".py" or path.name == "recipe.json" or (run_at(path) / "recipe.json").is_file():
        return True
    if path.exists() or source in registry().names("data"):
        return False
    words = source.partition(":")[0].split(".")
    if len(words) > 1 and all(map(str.isidentifier, words)) and path.suffix.lower() not in SUFFIXES:
        return find_spec(words[0]) is not None
    return source in recipes or (source.isidentifier() and bool(nearest(source, recipes)))


def _changed(data: Data, changes: list[str]) -> Data:
    """The data with changes of its options, given as they are of a recipe's."""
    from smolrecipes.override import override
    from smolrecipes.recipe import Recipe
    from smolrecipes.registry import registry

    for one in changes:
        if not one.startswith("data."):
            raise RecipeError(f"{one}: of rows alone only data's own options are changed, as in data.columns=...")
    if not changes:
        return data
    objective: Any = registry().find("objective", "clm")
    found = override(Recipe(model="none", data=data, objective=objective()), changes).data
    assert not isinstance(found, str)
    return found


def _profile(data: Data, everything: bool, line: int, html: Path | None, json: bool) -> None:
    from smolrecipes.cli.profile import show
    from smolrecipes.profile.page import html as page
    from smolrecipes.profile.profile import profile
    from smolrecipes.profile.sample import BYTES

    facts = profile(data, 0 if everything else BYTES, line)
    if json:
        typer.echo(_json.dumps(facts, ensure_ascii=False, indent=1))
    else:
        show(facts)
    _page(html, page(facts))


def _prepared(
    source: str, recipe: Recipe | None, sources: list[Data], out: Path | None, form: Form, force: bool
) -> Card:
    """Runs the steps, says what they did, and writes the rows where it is asked for."""
    from smolrecipes.assemble import load_rows
    from smolrecipes.cards.card import card
    from smolrecipes.cards.folder import check, write

    if out is not None:
        check(out, force)
    rows, held_out, said = load_rows(recipe) if recipe else (sources[0].load(), None, [])
    splits = {"train": rows, **({"validation": held_out} if held_out is not None else {})}
    title = recipe.title if recipe else Path(source).stem
    made = card(sources, splits, title or source, said or [rows.info.description or repr(sources[0])])
    if out is not None:
        write(out, splits, made, form, force)
    return made


def _tell(made: Card, out: Path | None, html: Path | None, json: bool) -> None:
    from smolrecipes.cards.page import html as page
    from smolrecipes.cards.trail import summary
    from smolrecipes.cli.steps import show
    from smolrecipes.console import say

    if json:
        told = {"title": made.title, "read": made.said, "row_type": made.kind, "splits": made.splits}
        typer.echo(_json.dumps({**told, "steps": summary(made), "out": str(out or "")}, ensure_ascii=False, indent=1))
    else:
        show(made)
    _page(html, page(made))
    if out is not None and not json:
        say("", f"written   {out}  (README.md: the licence has to be filled in)")


def _page(file: Path | None, text: str) -> None:
    from smolrecipes.files import write_text

    if file is None:
        return
    try:
        write_text(file, text)
    except OSError as error:
        raise RecipeError(f"--html {file}: cannot be written ({error.strerror}); name another file") from None
