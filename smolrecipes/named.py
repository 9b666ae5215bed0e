"""A bare string for a model, data or a tokenizer: a registered name, a path, a URL or a hub id, in this order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolrecipes.annotations import component_classes, element
from smolrecipes.component import Component
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Data
from smolrecipes.recipe import Recipe
from smolrecipes.registry import registry

BARE = {
    "architecture": ("pretrained", "pretrained"),
    "tokenizer": ("pretrained", "pretrained"),
    "data": ("files", "hub"),
}
"""The kinds that a bare string can stand for, and the component for a path and for a hub id."""
TEXTS = (".md", ".text", ".txt")
DATA = (*TEXTS, *(".arrow", ".csv", ".jsonl", ".ndjson", ".parquet", ".tsv", ".bz2", ".gz", ".xz", ".zip", ".zst"))
"""What ends the name of a file that can only be data."""
SUFFIXES = (*DATA, ".bin", ".gguf", ".htm", ".html", ".json", ".pt", ".py", ".safetensors", ".xml", ".yaml", ".yml")
"""What ends a path rather than a hub id (`org/model-1.5` is one)."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class Named:
    """What a bare string stands for: a class and the options that the string gives."""

    component: type[Component]
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def named(kind: str, text: str, where: str) -> Named:
    """What `text` stands for as a component of that kind; `where` is the option it was given to.

    A kind that is not in BARE is only named: `guard`, or `samples:Hello` with its one positional option.
    """
    head, _, rest = text.partition(":")
    if text in registry().names(kind):
        also = f"; write ./{text} for the path of that name" if Path(text).exists() else ""
        if kind == "architecture" and _like_a_hub_id(text):
            also += f"; write hub:{text} for the weights of that name"
        return Named(registry().find(kind, text), {}, f"'{text}' is the registered {kind}{also}" if also else "")
    if kind not in BARE:
        return _made(kind, head, rest) if rest else Named(registry().find(kind, text))
    if kind == "data" and "," in text and not Path(text).exists():
        return _several([part.strip() for part in text.split(",") if part.strip()], where)
    if rest and head in ("hub", *registry().names(kind)) and not rest.startswith("//"):
        return _explicit(kind, head, rest, where)
    if "://" in text:
        return _url(kind, text, where)
    if Path(text).expanduser().exists() or _looks_like_a_path(text):
        return _path(kind, text, where)
    if HUB_ID.fullmatch(text) and ("/" in text or _is_known_looking(kind, text)):
        return _made(kind, BARE[kind][1], text, f"{text} on the Hugging Face hub")
    raise RecipeError(_nothing_found(kind, text, where))


def run_at(path: Path) -> Path:
    """The folder of a run: `path`, unless it is the file `last` that names it where links are not allowed."""
    if path.name != "last" or not path.is_file():
        return path
    folder = path.parent / path.read_text(encoding="utf-8").strip()
    if not folder.is_dir():
        raise RecipeError(f"{path}: the run that it names, {folder}, is gone; name another")
    return folder


def resolve(recipe: Recipe, notes: list[str] | None = None) -> Recipe:
    """The recipe with every bare string replaced by what it names, base recipes included.

    notes: collects a sentence for each string that could be meant otherwise.
    """
    resolved = _resolved(recipe, "", [] if notes is None else notes)
    assert isinstance(resolved, Recipe)
    return resolved


def resolved(data: Data) -> Data:
    """The data with every bare string in it replaced by what it names."""
    found = _resolved(data, "data.", [])
    assert isinstance(found, Data)
    return found


def _resolved(component: Component, path: str, notes: list[str]) -> Component:
    changes = {}
    for name, hint in component.hints().items():
        value = getattr(component, name)
        found = _resolved_value(value, hint, f"{path}{name}", notes)
        if found is not value:
            changes[name] = found
    return component.replace(**changes) if changes else component


def _resolved_value(value: Any, hint: Any, path: str, notes: list[str]) -> Any:
    if isinstance(value, str) and (kinds := [cls.kind for cls in component_classes(hint) if cls.kind in BARE]):
        found = named(kinds[0], value, path)
        notes += [f"{path}: {found.note}"] if found.note else []
        return found.component(**found.options)
    if isinstance(value, Component):
        return _resolved(value, f"{path}.", notes)
    if isinstance(value, tuple):
        inner = element(hint, tuple)
        found_items = tuple(_resolved_value(item, inner, f"{path}.{i}", notes) for i, item in enumerate(value))
        return found_items if any(new is not old for new, old in zip(found_items, value, strict=True)) else value
    return value


def _made(kind: str, name: str, text: str, note: str = "") -> Named:
    """The component with the text as its one positional option."""
    cls = registry().find(kind, name)
    positional = [option for option, spec in cls.options().items() if not spec.kw_only]
    if not positional:
        raise RecipeError(f"{kind} '{name}' takes no value after its name; set its options on their own")
    return Named(cls, {positional[0]: (text,) if element(cls.hints()[positional[0]], tuple) else text}, note)


def _explicit(kind: str, head: str, rest: str, where: str) -> Named:
    """`hub:gpt2`, `toy:chat`: the registered name and the value of its positional option."""
    if head != "hub":
        return _made(kind, head, rest)
    if not HUB_ID.fullmatch(rest):
        raise RecipeError(f"{where}: '{rest}' is not a hub id; one looks like org/name")
    if kind != "data" and Path(rest).exists():
        raise RecipeError(f"{where}: a folder '{rest}' lies here, and transformers would load it instead; rename it")
    return _made(kind, BARE[kind][1], rest, f"{rest} on the Hugging Face hub")


def _several(texts: list[str], where: str) -> Named:
    """`a.txt,b.txt`: one Files of all when all are files, or else a Mix."""
    found = [named("data", text, where) for text in texts]
    note = "; ".join(dict.fromkeys(item.note for item in found if item.note))
    files = registry().find("data", "files")
    if all(item.component is files for item in found):
        paths = next(iter(found[0].options))
        return Named(files, {paths: tuple(path for item in found for path in item.options[paths])}, note)
    mix = registry().find("data", "mix")
    return Named(mix, {next(iter(mix.options())): tuple(item.component(**item.options) for item in found)}, note)


def _url(kind: str, text: str, where: str) -> Named:
    """A page of the Hugging Face hub is a hub id; any other URL is a file to read."""
    from urllib.parse import urlparse

    url = urlparse(text)
    parts = [part for part in url.path.split("/") if part]
    if kind == "data" and parts[:1] == ["datasets"]:
        parts = parts[1:]
    elif kind == "data":
        parts = []
    if url.netloc in ("huggingface.co", "hf.co") and len(parts) == 2:
        return _made(kind, BARE[kind][1], "/".join(parts), f"{'/'.join(parts)} on the Hugging Face hub")
    if kind != "data":
        raise RecipeError(f"{where}: a model is a folder or a hub id (org/name), not the URL {text}")
    return _made(kind, "files", text)


def _path(kind: str, text: str, where: str) -> Named:
    path = Path(text).expanduser()
    shown = str(path) if text.startswith("~") else text
    if kind == "data":
        return _made(kind, BARE[kind][0], shown)
    if not path.exists():
        raise RecipeError(f"{where}: there is no folder '{shown}'{nearest(path.name, _beside(path, kind))}")
    path = run_at(path)
    if (path / "recipe.json").is_file() and (path / "model").is_dir():
        return _made(kind, BARE[kind][0], (path / "model").as_posix(), f"the model of the run {shown}")
    return _made(kind, BARE[kind][0], shown)


def _looks_like_a_path(text: str) -> bool:
    if text.startswith((".", "/", "~")) or "\\" in text or text.count("/") > 1 or any(sign in text for sign in "*?["):
        return True
    return Path(text).suffix.lower() in SUFFIXES or ("/" in text and Path(text).parent.is_dir())


def _is_known_looking(kind: str, text: str) -> bool:
    """A hub id of one word (`gpt2-medium`, `bert-base-uncased`) rather than a misspelt name."""
    names = registry().names(kind)
    return _like_a_hub_id(text) and (any(name in text for name in names) or not nearest(text, names))


def _like_a_hub_id(text: str) -> bool:
    return any(sign in text for sign in "0123456789-_")


def _beside(path: Path, kind: str) -> list[str]:
    """What lies beside a path and could be meant: folders for a model, files and folders for data."""
    entries = path.parent.iterdir() if path.parent.is_dir() else ()
    shown = [entry for entry in entries if entry.name[0] != "."]
    return sorted(e.name for e in shown if e.is_dir() or (kind == "data" and e.suffix in SUFFIXES))


def _nothing_found(kind: str, text: str, where: str) -> str:
    names = registry().names(kind)
    guess = nearest(text, [*names, *_beside(Path(text), kind)])
    return (
        f"{where}: '{text}' is no registered {kind} ({', '.join(names)}) and no path{guess}"
        f"{'' if guess else f'; a hub id looks like org/name, or write hub:{text}'}"
    )
