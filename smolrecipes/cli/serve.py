"""`smolrecipes serve`: a trained model behind OpenAI's HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolrecipes.cli.folder import decoding, model_or_file, run_folder
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.serve.app import Served

LEAST = 256
"""Tokens that may be written at least where a request does not say it, as in chat."""
EXAMPLE = """{name} answers at {url}/v1; Ctrl-C stops it. For example:
curl {url}/v1/{route} -H 'Content-Type: application/json' -d '{{"model": "{name}", {asked}}}'"""


def command(
    model: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, a folder with a model, or a .gguf file.")
    ] = "runs/last",
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 lets other machines ask.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
) -> None:
    """Answer OpenAI's HTTP API with a trained model: chat completions, completions, models."""
    place = model_or_file(Path(model))
    _check_installed(place)
    from smolrecipes.serve.listen import listening, serve

    with listening(host, port) as socket:
        serve(_served(place), socket, place.stat().st_mtime, EXAMPLE)


def _served(place: Path) -> Served:
    """The model, loaded."""
    if place.is_dir():
        from smolrecipes.serve.checkpoint import Checkpoint

        return Checkpoint(place, _name(place), decoding(place, LEAST))
    from smolrecipes.serve.gguf import GGUF

    beside = next((folder for folder in place.parents if (folder / "recipe.json").is_file()), place.parent)
    return GGUF(place, place.stem, decoding(beside / "model", LEAST))


def _name(folder: Path) -> str:
    """The title of the run that a model or a checkpoint belongs to; the folder's name where it is no run's."""
    import json

    stored = run_folder(folder) / "recipe.json"
    title = json.loads(stored.read_text(encoding="utf-8")).get("title") if stored.is_file() else ""
    return str(title or folder.resolve().name)


def _check_installed(place: Path) -> None:
    from importlib.util import find_spec

    needed = ["uvicorn", "fastapi", "openai", "llguidance", *(["xllamacpp"] if place.is_file() else [])]
    if missing := [name for name in needed if find_spec(name) is None]:
        raise RecipeError(f"serving needs {', '.join(missing)}: pip install 'smolrecipes[serve]'")
