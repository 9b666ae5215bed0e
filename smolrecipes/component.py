"""Component: what every part of a recipe is. A frozen dataclass whose fields are its options."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import re
import sys
from abc import ABCMeta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from smolrecipes.errors import RecipeError, nearest
from smolrecipes.functions import code_of, reference, source_of

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:
    from typing_extensions import dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

OF_ANOTHER_TYPE = ("_type", "_parsing", "is_instance_of")
"""How pydantic's kinds of complaint end that only say that a value is no such thing at all."""


def option(
    *,
    default: Any = dataclasses.MISSING,
    factory: Any = dataclasses.MISSING,
    kw_only: bool = True,
    affects_weights: bool = True,
    added: bool = False,
) -> Any:
    """An option of a component.

    default, factory: its value when it is not given (`factory` makes a new one each time); without either it is required.
    kw_only: False lets it be given without its name, as in `Files("a.jsonl")`.
    affects_weights: False keeps it out of the fingerprint: the trained weights do not depend on it.
    added: it came after runs were made, which are still found: the fingerprint leaves it out while it has its default.
    """
    return dataclasses.field(
        default=default,
        default_factory=factory,
        kw_only=kw_only,
        metadata={"affects_weights": affects_weights, "added": added},
    )


class _Named(ABCMeta):
    """Takes `kind` and `name` in a class statement, which Python 3.10's own ABCMeta cannot."""

    def __new__(
        mcls,
        cls: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        /,
        kind: str | None = None,
        name: str | None = None,
    ) -> Any:
        given = {key: value for key, value in (("kind", kind), ("name", name)) if value is not None}
        return super().__new__(mcls, cls, bases, {**body, **given})

    @property
    def __signature__(cls) -> inspect.Signature:
        """Its options, for help() and notebooks: `__init__` itself is one for all components."""
        parameters = [_parameter(spec) for spec in cls.options().values()]  # type: ignore[attr-defined]
        return inspect.Signature(sorted(parameters, key=lambda parameter: parameter.kind))


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option, dataclasses.field))
class Component(metaclass=_Named):
    """A named, typed, serialisable choice. Subclassing makes the class a frozen dataclass.

    Unknown options and values of the wrong type raise RecipeError when the component is made.
    """

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in cls.__dict__:
            cls.name = cls.__name__.lower()
        if reserved := {"kind", "name"} & set(cls.__dict__.get("__annotations__", {})):
            raise RecipeError(f"{cls.__name__}: '{reserved.pop()}' is a reserved name; call the option something else")
        # of the methods that dataclass would compile for each class, one for all is written here: they made starting slow
        dataclasses.dataclass(init=False, kw_only=True, repr=False, eq=False)(cls)

    def __init__(self, *args: Any, **given: Any) -> None:
        asked = _asked(type(self), args, given)
        for name, spec in self.options().items():
            object.__setattr__(self, name, asked[name] if name in asked else _default(spec))
        self.__dict__["_given"] = frozenset(asked)
        self.__post_init__()

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"a component is not changed: take a copy, with replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"a component keeps its options: '{name}' cannot be deleted")

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            object.__setattr__(self, spec.name, self.parse(spec.name, getattr(self, spec.name)))

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        """`value` as the option `name` stores it, or RecipeError: the annotation is the rule (pydantic, lax mode)."""
        from pydantic import ValidationError

        try:
            return _adapter(cls, name).validate_python(value)
        except ValidationError as error:
            wrong = error.errors()[0]["input"]  # of a tuple, the part that is wrong
            known = choices(cls.hints()[name])
            near = nearest(wrong, known) if isinstance(wrong, str) and wrong not in known else ""
            raise RecipeError(f"{cls.__name__}.{name}: {_sentence(error, value)}{near}") from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @classmethod
    def options(cls) -> dict[str, dataclasses.Field[Any]]:
        """The options by name, in the order they are declared."""
        return {spec.name: spec for spec in dataclasses.fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """The resolved annotation of each option."""
        return _hints(cls)

    @classmethod
    def help(cls) -> dict[str, str]:
        """The docstring under each option."""
        return _help(cls)

    def replace(self, **changes: Any) -> Self:
        """A copy with some options changed; unknown names raise RecipeError with the nearest."""
        options = {name: getattr(self, name) for name in self.options()}
        copy = type(self)(**{**options, **changes})
        copy.__dict__["_given"] = self.given() | changes.keys()
        return copy

    def children(self) -> Iterator[tuple[str, Component]]:
        """The components directly inside, each with its option path: `adapter`, `callbacks.0`."""
        for name in self.options():
            value = getattr(self, name)
            if isinstance(value, Component):
                yield name, value
            elif isinstance(value, tuple):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(value) if isinstance(item, Component))

    def changed(self) -> dict[str, Any]:
        """The options whose value is not the default."""
        return {n: getattr(self, n) for n, spec in self.options().items() if getattr(self, n) != _default(spec)}

    def given(self) -> frozenset[str]:
        """The options that were written down, here or in what this is a copy of, also those with their default value."""
        found: frozenset[str] = self.__dict__.get("_given", frozenset())
        return found

    def identity(self) -> Any:
        """What the trained weights depend on, as JSON-ready data. Data sources add a hash of their content."""
        counted = [name for name, spec in self.options().items() if spec.metadata.get("affects_weights", True)]
        late = {name for name in counted if self.options()[name].metadata.get("added")} - self.changed().keys()
        parts = {name: _identity(getattr(self, name)) for name in counted if name not in late}
        return {"use": f"{self.kind}:{self.name}", **_source(type(self)), **parts}

    def fingerprint(self) -> str:
        """16 hex digits that change exactly when something changes that the weights depend on."""
        import json

        return _hash(json.dumps(self.identity(), sort_keys=True, default=repr))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.options())

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        parts = []
        for name, value in self.changed().items():
            positional = not self.options()[name].kw_only
            shown = repr(reference(value) if inspect.isfunction(value) else value)
            parts.append(shown if positional else f"{name}={shown}")
        line = f"{type(self).__name__}({', '.join(parts)})"
        if len(line) <= 100 and "\n" not in line:
            return line
        body = ",\n".join(parts).replace("\n", "\n    ")
        return f"{type(self).__name__}(\n    {body},\n)"


def _asked(cls: type[Component], args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
    """The options that are given, by name; unknown and missing ones are sentences."""
    options = cls.options()
    for name in given:
        if name not in options:
            raise RecipeError(f"{cls.__name__} has no option '{name}'{nearest(name, options) or _known(cls)}")
    positional = [name for name, spec in options.items() if not spec.kw_only]
    if len(args) > len(positional):
        raise RecipeError(f"{cls.__name__}: name its options, as in {cls.__name__}({next(iter(options), '')}=...)")
    placed = dict(zip(positional, args))
    if twice := placed.keys() & given.keys():
        raise RecipeError(f"{cls.__name__}: '{twice.pop()}' is given twice, with its name and without")
    asked = placed | given
    if missing := [name for name, spec in options.items() if name not in asked and _is_required(spec)]:
        raise RecipeError(f"{cls.__name__} needs '{missing[0]}': {cls.help().get(missing[0], 'it has no default')}")
    return asked


def _parameter(spec: dataclasses.Field[Any]) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY if spec.kw_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    default = inspect.Parameter.empty if _is_required(spec) else _default(spec)
    return inspect.Parameter(spec.name, kind, default=default, annotation=spec.type)


def _known(cls: type[Component]) -> str:
    return f" (it has: {', '.join(cls.options()) or 'none'})"


def _is_required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is spec.default_factory is dataclasses.MISSING


def _default(spec: dataclasses.Field[Any]) -> Any:
    return spec.default if spec.default_factory is dataclasses.MISSING else spec.default_factory()


@functools.cache
def _hints(cls: type[Component]) -> dict[str, Any]:
    found = get_type_hints(cls, include_extras=True)
    return {name: found[name] for name in cls.options()}


@functools.cache
def _adapter(cls: type[Component], name: str) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_hints(cls)[name])


def choices(hint: Any) -> list[str]:
    """The words that an annotation allows, of a Literal anywhere in it."""
    if get_origin(hint) is Literal:
        return [choice for choice in get_args(hint) if isinstance(choice, str)]
    return [choice for part in get_args(hint) for choice in choices(part)]


def _sentence(error: Any, value: Any) -> str:
    """pydantic's first complaint that is not of the type, where there is one, in our words: `should be greater than 0, not -1`."""
    errors = error.errors()
    first = next((one for one in errors if not one["type"].endswith(OF_ANOTHER_TYPE)), errors[0])
    where = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
    message = first["msg"].replace("Input should be", "should be")
    message = re.sub(r"an instance of (?=[AEIO])", "an ", message).replace("an instance of", "a")
    message = message.replace(
        "a valid tuple", f"several, as in [{value!r}]" if isinstance(value, str) else "several, in a list"
    )
    shown = repr(first["input"] if where else value)
    return f"{where} {message}, not {shown if len(shown) < 80 else shown[:77] + '...'}".strip()


@functools.cache
def _help(cls: type[Component]) -> dict[str, str]:
    import textwrap

    found: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if not (isinstance(parent, type) and issubclass(parent, Component)) or parent is Component:
            continue
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0].body  # type: ignore[attr-defined]
        except (OSError, TypeError):  # defined interactively: there is no source to read
            continue
        for field, text in zip(body, body[1:]):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[field.target.id] = " ".join(str(text.value.value).split())  # type: ignore[union-attr]
    return found


def _identity(value: Any) -> Any:
    if isinstance(value, Component):
        return value.identity()
    if isinstance(value, dict):
        return {str(key): _identity(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_identity(item) for item in value]
    if inspect.isfunction(value):
        return {"function": value.__qualname__, "source": _hash(source_of(value))}
    return str(value) if isinstance(value, Path) else value


@functools.cache
def _source(cls: type[Component]) -> dict[str, str]:
    """The hash of the code of a class that smolrecipes does not ship: the weights depend on it.

    It covers the modules of the class and of its own parents, but for comments and the components that they name.
    """
    modules = {parent.__module__ for parent in cls.__mro__ if issubclass(parent, Component)}
    foreign = sorted(name for name in modules if name.split(".")[0] != "smolrecipes")
    if not foreign:
        return {}
    text = "".join(_code(sys.modules[name]) if name in sys.modules else cls.__qualname__ for name in foreign)
    return {"source": _hash(text)}


def _hash(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _code(module: Any) -> str:
    try:
        return code_of(inspect.getsource(module), vars(module))
    except (OSError, TypeError):  # defined interactively: there is no source to read
        return str(module.__name__)
