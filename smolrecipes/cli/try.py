"""`smolrecipes try`: ask a trained model once; it fills, judges, tags, points, translates or continues, by its head."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.decoding import Decoding


def command(
    model: Annotated[str, typer.Argument(metavar="RUN", help="A run, or a folder with a model.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="What it is asked: a text, two, a question and a text, or choices."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--decoding", metavar="OPTION=VALUE", help="How it writes, as in beams=4; may be repeated."),
    ] = None,
    source: Annotated[str, typer.Option(help="The language of the text, where the model tells languages.")] = "",
    target: Annotated[str, typer.Option(help="The language to translate into.")] = "",
    top: Annotated[int, typer.Option(min=1, help="How many words or classes are named.")] = 5,
    attention: Annotated[str, typer.Option(metavar="FILE.svg", help="Draw where each head looks.")] = "",
    neighbours: Annotated[str, typer.Option(metavar="WORD", help="The words that the model holds for alike.")] = "",
    json: Annotated[bool, typer.Option("--json", help="The answer, to be read by programs.")] = False,
) -> None:
    """Ask a trained model once: fill a [MASK], classify, tag, answer, choose, translate or continue, by its objective."""
    from smolrecipes.cli.folder import decoding, learned_texts, model_folder

    _check(texts or [], neighbours, attention)
    folder = model_folder(Path(model))
    writes = _changed(decoding(folder), options or [])
    from smolrecipes.architectures.heads import head_of
    from smolrecipes.ask.ask import WRITERS, ask
    from smolrecipes.ask.load import load

    found: dict[str, Any] = {}
    loaded = load(folder)
    if texts:
        plain = learned_texts(folder)
        _look_for_masks(texts, head_of(loaded[0].config))
        told = writes if options or head_of(loaded[0].config) in WRITERS else None
        found["answer"] = ask(*loaded, texts, told, top, source=source, target=target, plain=plain)
    if neighbours:
        found |= _near(loaded, neighbours, max(top, 10))
    if attention:
        found |= _drawn(loaded, " ".join(texts or []), source, target, Path(attention))
    _print({name: value for name, (_, value) in found.items()}, [text for text, _ in found.values()], json)


def _check(texts: list[str], neighbours: str, attention: str) -> None:
    if not texts and not neighbours:
        raise RecipeError("try takes a text, or --neighbours WORD")
    if attention and len(texts) != 1:
        raise RecipeError("--attention draws one text; give it alone")
    if attention and Path(attention).suffix != ".svg":
        raise RecipeError(f"--attention writes SVG, and '{attention}' does not end with .svg")


def _look_for_masks(texts: list[str], head: str) -> None:
    """Says that what goes on from a text fills nothing inside it."""
    found = [mask for mask in ("[MASK]", "<mask>") if any(mask in text for text in texts)]
    if found and head == "causal":
        what = f"goes on from its text and fills no {found[0]}: it reads it as any word"
        warnings.warn(f"this model ({head}) {what}", stacklevel=2)


def _near(loaded: tuple[Any, Any], word: str, top: int) -> dict[str, Any]:
    from smolrecipes.ask.neighbours import neighbours

    found, pieces = neighbours(*loaded, word, top), loaded[1].tokenize(word)
    mean = f" (the mean of {' '.join(pieces)})" if len(pieces) > 1 else ""
    return {"neighbours": (f"{word}{mean}: " + ", ".join(f"{name} {near:.2f}" for name, near in found), dict(found))}


def _drawn(loaded: tuple[Any, Any], text: str, source: str, target: str, file: Path) -> dict[str, Any]:
    from smolrecipes.ask.attention import attention, picture
    from smolrecipes.ask.write import direction

    maps = attention(*loaded, text, *direction(*loaded, source, target))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(picture(maps), encoding="utf-8")
    return {"attention": (f"attention  {file}", str(file))}


def _changed(found: Decoding, options: list[str]) -> Decoding:
    """With the command line's options, read and checked as a recipe's are."""
    from smolrecipes.errors import nearest
    from smolrecipes.values import parsed

    changes: dict[str, Any] = {}
    for option in options:
        name, separator, value = option.partition("=")
        if not separator:
            raise RecipeError(f"--decoding takes OPTION=VALUE, as in beams=4, not '{option}'")
        if name not in found.options():
            raise RecipeError(f"--decoding: there is no option '{name}'{nearest(name, found.options())}")
        changes[name] = parsed(type(found), name, value, f"--decoding {name}")
    return found.replace(**changes)


def _print(data: dict[str, Any], lines: list[str], json: bool) -> None:
    if json:
        from json import dumps

        print(dumps(data, ensure_ascii=False))
        return
    from smolrecipes.cli.folder import printable

    for line in lines:
        print(printable(line))
