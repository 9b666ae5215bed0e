"""What names the folder of a stage: the content of the source and all that decides what becomes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.kinds import Data, Transform

if TYPE_CHECKING:
    from smolrecipes.component import Component


def of_source(origin: Data) -> str:
    """Of a source as it is read: its content, the names that origins say, and the code and packages that read it."""
    from smolrecipes.data.files import files_in
    from smolrecipes.data.paths import names

    read = [_code("data"), _code("pipeline"), versions(_reading(origin))]
    return _hash(origin.identity(), names(list(files_in(origin))), *read)


def of_step(before: str, step: Transform) -> str:
    """Of a step after what has the key `before`."""
    own = type(step).__module__.partition(".")[0] == "smolrecipes"
    code = [_code(package) for package in ("pipeline", "near", "transforms")] + ([] if own else [_module(type(step))])
    return _hash(before, step.identity(), [*code, *versions([*step.packages, *_reading(step)])])


def versions(packages: Iterable[str]) -> list[str]:
    """Of packages, by the names that they are imported by, what of them is installed: `ftfy 6.3.1`."""
    found = (name for package in packages for name in _distributions().get(package.partition(".")[0], ()))
    return [f"{name} {version(name)}" for name in dict.fromkeys(found)]


def _reading(part: Component) -> Iterator[str]:
    """The packages that sources need, a component itself or those inside it."""
    if isinstance(part, Data):
        yield from part.packages
    for _, child in part.children():
        yield from _reading(child)


@lru_cache
def _distributions() -> dict[str, list[str]]:
    """What is installed by the names that are imported: `yaml` comes with PyYAML."""
    return {name: sorted(set(found)) for name, found in packages_distributions().items()}


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()[:16]


@lru_cache
def _code(package: str) -> str:
    """The hash of a package's code."""
    folder = Path(__file__).parent.parent / package
    return _hash(*(file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.py"))))


def _module(step: type[Transform]) -> str:
    """The hash of the file that a step is written in."""
    import inspect

    try:
        return _hash(Path(inspect.getfile(step)).read_text(encoding="utf-8"))
    except (OSError, TypeError):  # defined interactively: its identity says what is known of it
        return ""
