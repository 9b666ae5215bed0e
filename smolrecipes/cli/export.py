"""`smolrecipes export`: deliverables of a finished run, each compared with the model that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.kinds import Exporter


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME.OPTION=VALUE]...", help="Of the exporters: safetensors.shard=500MB."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="NAME[:VALUE]",
            help="gguf:q4_k_m, safetensors:bfloat16, adapter, ollama, hub:name/model; more than once for more.",
        ),
    ] = None,
    out: Annotated[str, typer.Option(metavar="PATH", help="Where to put it; by default into the run's exports/.")] = "",
) -> None:
    """Export a finished run; what is made is compared with the trained model, and an export that differs fails."""
    from smolrecipes.cli.folder import finished_run

    this = finished_run(Path(run))
    chosen = exporters(to or [], options or []) or list(this.recipe.exporters)
    if not chosen:
        raise RecipeError("export: name what to make with --to, such as --to gguf:q4_k_m (smolrecipes list exporter)")
    if out:
        if len(chosen) > 1:
            raise RecipeError(
                f"--out {out}: it is one path, and {len(chosen)} things are exported; export them one by one"
            )
        chosen = [chosen[0].replace(out=out)]
    from smolrecipes.launch import join

    join("auto")
    for one in chosen:
        one.check(this)
    for one in chosen:
        typer.echo(str(one.export(this)))


def exporters(to: list[str], options: list[str]) -> list[Exporter]:
    """What `--to NAME:VALUE` and NAME.OPTION=VALUE say."""
    from smolrecipes.cli.components import given
    from smolrecipes.registry import registry

    named = [text.partition(":")[::2] for text in to]
    classes: list[Any] = [registry().find("exporter", name) for name, _ in named]
    asked = given(classes, options, "exporters", "safetensors.shard=500MB")
    return [cls(**_first(cls, value), **asked[cls.name]) for cls, (_, value) in zip(classes, named)]


def _first(cls: Any, value: str) -> dict[str, Any]:
    """The option that is given without its name."""
    from smolrecipes.values import parsed

    if not value:
        return {}
    first = next((name for name, spec in cls.options().items() if not spec.kw_only), None)
    if first is None:
        raise RecipeError(f"--to {cls.name}:{value}: {cls.__name__} takes nothing after the colon")
    return {first: parsed(cls, first, value, f"--to {cls.name}")}
