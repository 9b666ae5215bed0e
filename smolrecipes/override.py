"""`objective.beta=0.2` -> a new Recipe: values parsed by the option's annotation, components swapped by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, field
from typing import Any

from smolrecipes.annotations import component_classes, element, optional, spoken
from smolrecipes.component import Component
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import KINDS, Architecture
from smolrecipes.named import BARE, Named, named, resolve
from smolrecipes.recipe import Recipe, Training
from smolrecipes.serialize import decode
from smolrecipes.values import NOTHING, is_number, literal, parsed, raw, read_json

__all__ = ["Changed", "change", "override", "resolve"]

ONE_OF: dict[type[Component], tuple[tuple[str, ...], ...]] = {
    Training: (("epochs", "steps", "tokens"), ("global_batch_size", "global_batch_tokens"))
}
"""Options of which one at most is set: to set one on the command line is to clear the others."""


@dataclass(frozen=True)
class Changed:
    """A recipe after assignments, and what to tell about them."""

    recipe: Recipe
    given: dict[str, str] = field(default_factory=dict)
    """The assigned paths with their text."""
    notes: tuple[str, ...] = ()
    """Sentences: how a bare string was read, what else an assignment changed."""


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """A copy of the recipe changed by `path=value` and `kind=name` assignments."""
    return change(recipe, assignments).recipe


def change(recipe: Recipe, assignments: Iterable[str]) -> Changed:
    """As `override`, with which paths were given and what else they changed."""
    given = dict(_split(assignment) for assignment in assignments)
    work = _Work()
    items = [_Item(path.split("."), text, path) for path, text in given.items()]
    changed = work.remade(recipe, items, "")
    assert isinstance(changed, Recipe)
    return Changed(work.fitting_tokenizer(changed, given), given, tuple(work.notes))


def _split(assignment: str) -> tuple[str, str]:
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise RecipeError(f"'{assignment}' is not an override; write option=value, as in training.steps=100")
    return path.strip(), text.strip()


@dataclass(frozen=True)
class _Item:
    """One assignment, as seen from inside the component it is for."""

    parts: list[str]
    text: str
    path: str
    """The whole path, for messages."""

    def inner(self) -> _Item:
        return _Item(self.parts[1:], self.text, self.path)


def _by_name(items: list[_Item]) -> dict[str, tuple[_Item | None, list[_Item]]]:
    """For each first part: the assignment to the whole, if there is one, and those inside it."""
    found: dict[str, tuple[_Item | None, list[_Item]]] = {}
    for item in items:
        whole, inner = found.get(item.parts[0], (None, []))
        found[item.parts[0]] = (item, inner) if len(item.parts) == 1 else (whole, [*inner, item.inner()])
    return found


class _Work:
    """One pass over a recipe: all assignments to a component are applied together, swaps before what is inside them."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def remade(self, component: Component, items: list[_Item], where: str) -> Component:
        options = {name: getattr(component, name) for name in component.options()}
        return component.replace(**self.changes(type(component), options, items, where))

    def made(self, cls: type[Component], options: dict[str, Any], items: list[_Item], where: str) -> Component:
        return cls(**{**options, **self.changes(cls, options, items, where)})

    def changes(self, cls: type[Component], options: dict[str, Any], items: list[_Item], where: str) -> dict[str, Any]:
        """What `items` make of the options of a component of class `cls`; only those that change."""
        changes: dict[str, Any] = {}
        for name, (whole, inner) in _by_name(items).items():
            path = f"{where}{name}"
            if name not in cls.options():
                raise RecipeError(_unknown(cls, options, name, (whole or inner[0]).path))
            changes[name] = options.get(name, _default(cls, name))
            if whole is not None and _names_component(cls.hints()[name], whole.text):
                changes[name] = self.swapped(cls.hints()[name], changes[name], whole.text, inner, path)
                continue
            if whole is not None:
                changes[name] = parsed(cls, name, whole.text, path)
            changes[name] = self.inside(changes[name], cls.hints()[name], inner, path)
        return {**self.cleared(cls, options, changes, where), **changes}

    def cleared(self, cls: type[Component], old: dict[str, Any], new: dict[str, Any], where: str) -> dict[str, Any]:
        """The options that one that is set now replaces."""
        out: dict[str, Any] = {}
        defaults = {name: option.default for name, option in cls.options().items()}
        for group in (group for owner, groups in ONE_OF.items() if issubclass(cls, owner) for group in groups):
            now = [f"{where}{name}={new[name]}" for name in group if new.get(name) is not None]
            for name in (n for n in group if now and n not in new and old[n] != defaults[n]):
                self.notes.append(f"{now[0]} replaces {name}={old[name]}")
                out[name] = defaults[name]
        return out

    def swapped(self, hint: Any, current: Any, text: str, inner: list[_Item], path: str) -> Any:
        """What `text` names for an option that holds components, with `inner` applied to it."""
        if text.lower() in NOTHING:
            return _nothing(hint, inner, path)
        if text[:1] in ("{", "["):
            return self.inside(decode(read_json(text, path), hint), hint, inner, path)
        if (item := element(hint, tuple)) is not None and not component_classes(hint):
            return self.swapped_all(item, [part.strip() for part in text.split(",") if part.strip()], inner, path)
        return self.swapped_one(hint, current, text, inner, path)

    def swapped_all(self, hint: Any, texts: list[str], inner: list[_Item], path: str) -> tuple[Any, ...]:
        """A tuple of what the texts name, each with what is assigned inside it."""
        parts = _by_name(inner)
        for key in parts.keys() - {str(index) for index in range(len(texts))}:
            raise RecipeError(f"{path}.{key}: {path} has no element '{key}'; it has 0 to {len(texts) - 1}")
        inside = [parts.get(str(index), (None, []))[1] for index in range(len(texts))]
        return tuple(self.swapped(hint, None, t, inside[i], f"{path}.{i}") for i, t in enumerate(texts))

    def swapped_one(self, hint: Any, current: Any, text: str, inner: list[_Item], path: str) -> Component:
        kinds = [cls.kind for cls in component_classes(hint) if cls.kind in KINDS]
        if not kinds:
            options = component_classes(hint)[0].options()
            raise RecipeError(f"{path}: set one of its options, as in {path}.{next(iter(options))}=...")
        found = self.found(kinds[0], text, path)
        cls, given = found.component, {item.parts[0] for item in inner} | found.options.keys()
        if not isinstance(current, Component) or current.kind not in KINDS:
            return self.made(cls, found.options, inner, f"{path}.")
        kept = _shared(current, cls, given)
        new = self.made(cls, {**kept, **found.options}, inner, f"{path}.")
        self.notes += [*_told(current, new, kept, given, path), *_around(current, new, text, path)]
        return new

    def found(self, kind: str, text: str, path: str) -> Named:
        found = named(kind, text, path)
        self.notes += [f"{path}: {found.note}"] if found.note else []
        return found

    def inside(self, current: Any, hint: Any, items: list[_Item], path: str) -> Any:
        """`current` with `items` applied inside: a component's options, a tuple's elements, a dict's keys."""
        if not items:
            return current
        if isinstance(current, str) and (kinds := [cls.kind for cls in component_classes(hint) if cls.kind in BARE]):
            found = self.found(kinds[0], current, path)
            return self.made(found.component, found.options, items, f"{path}.")
        if isinstance(current, Component):
            return self.remade(current, items, f"{path}.")
        if isinstance(current, tuple):
            return self.elements(current, element(hint, tuple), items, path)
        if isinstance(current, dict):
            return _keys(current, element(hint, dict), items, path)
        if current is None and component_classes(hint):
            raise RecipeError(f"{items[0].path}: there is no {path} in this recipe; name one too, as in {path}=name")
        raise RecipeError(f"{items[0].path}: {path} is {current!r}, which has no options inside")

    def elements(self, current: tuple[Any, ...], hint: Any, items: list[_Item], path: str) -> tuple[Any, ...]:
        changed = list(current)
        for key, (whole, inner) in _by_name(items).items():
            if not key.isdigit() or int(key) >= len(current):
                known = f"it has 0 to {len(current) - 1}" if current else "it is empty"
                raise RecipeError(f"{(whole or inner[0]).path}: {path} has no element '{key}'; {known}")
            index, where = int(key), f"{path}.{key}"
            if whole is not None and _names_component(hint, whole.text):
                changed[index] = self.swapped(hint, current[index], whole.text, inner, where)
                continue
            if whole is not None:
                changed[index] = raw(whole.text, hint, where)
            changed[index] = self.inside(changed[index], hint, inner, where)
        return tuple(changed)

    def fitting_tokenizer(self, new: Recipe, given: dict[str, str]) -> Recipe:
        """Without the recipe's tokenizer, when the model that was named brings its own."""
        if "model" not in given or any(path.split(".")[0] == "tokenizer" for path in given) or new.tokenizer is None:
            return new
        if not isinstance(new.model, Architecture) or new.model.tokenizer() is None:
            return new
        self.notes.append(f"tokenizer: the one of {_brief(new.model)}, instead of {_brief(new.tokenizer)}")
        return new.replace(tokenizer=None)


def _around(current: Component, new: Component, text: str, path: str) -> list[str]:
    """That what stood around a component of the same kind (the steps of a pipeline) is gone, and how it stays."""
    inner = next((name for name, one in current.children() if one.kind == current.kind), "")
    if not inner or type(new) is type(current):
        return []
    return [f"{path}: {type(current).__name__} is left out with all that it does; {path}.{inner}={text} keeps it"]


def _names_component(hint: Any, text: str) -> bool:
    """Whether a text for this option names a component, rather than being a plain value."""
    item = element(hint, tuple)
    holds = component_classes(hint) or (item is not None and component_classes(item))
    return bool(holds) and not is_number(text, hint)


def _nothing(hint: Any, inner: list[_Item], path: str) -> Any:
    if inner:
        raise RecipeError(f"{inner[0].path}: {path} is set to none, so nothing can be set inside it")
    if element(hint, tuple) is not None:
        return ()
    if optional(hint):
        return None
    why = "; write 0" if "a share or a count" in spoken(hint) else ", a recipe needs it"
    raise RecipeError(f"{path}: cannot be none{why}")


def _keys(current: dict[str, Any], hint: Any, items: list[_Item], path: str) -> dict[str, Any]:
    changed = dict(current)
    for key, (whole, inner) in _by_name(items).items():
        where = f"{path}.{key}"
        if whole is not None and whole.text.lower() in NOTHING and hint is not Any and not optional(hint):
            changed.pop(key, None)
        elif whole is not None:
            changed[key] = literal(whole.text) if hint is Any else raw(whole.text, hint, where)
        if inner:
            nested = changed.get(key, {})
            if not isinstance(nested, dict):
                raise RecipeError(f"{inner[0].path}: {where} is {nested!r}, which has no keys inside")
            changed[key] = _keys(nested, Any, inner, where)
    return changed


def _default(cls: type[Component], name: str) -> Any:
    spec = cls.options()[name]
    if spec.default_factory is not MISSING:
        return spec.default_factory()
    return None if spec.default is MISSING else spec.default


def _shared(old: Component, cls: type[Component], given: set[str]) -> dict[str, Any]:
    """The options set in `old` that `cls` has too and accepts."""
    kept = {}
    for name, value in old.changed().items():
        if name not in cls.options() or name in given:
            continue
        try:
            kept[name] = cls.parse(name, value)
        except RecipeError:  # not a value for the new class: `_told` says that it is reset
            continue
    return kept


def _told(old: Component, new: Component, kept: dict[str, Any], given: set[str], path: str) -> list[str]:
    """What a swap kept, and what has another value now, or none, without having been asked for."""
    if type(old) is type(new) and not given:
        return []
    told = [f"it keeps {', '.join(f'{name}={_brief(value)}' for name, value in kept.items())}"] if kept else []
    # the options of a model, tokenizer or data say what it is: those of another are not missed
    lost = [] if old.kind in BARE else [name for name in old.changed() if name not in kept and name not in given]
    for name in lost:
        before = _brief(getattr(old, name))
        if name in new.options():
            told.append(f"{name} is {_brief(getattr(new, name))}, no longer {before}")
        elif old.options()[name].kw_only:  # what is positional is what the old one was, not how it was set
            told.append(f"{name}={before} does not apply")
    return [f"{path} is now {type(new).__name__}: {'; '.join(told)}"] if told else []


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"{type(value).__name__}(...)"


def _unknown(cls: type[Component], options: dict[str, Any], name: str, path: str) -> str:
    """The sentence for an option that `cls` does not have, with the nearest here or one level inside."""
    inside = [f"{n}.{name}" for n, v in options.items() if isinstance(v, Component) and name in v.options()]
    holders = [n for n, hint in cls.hints().items() if any(c.kind == name for c in component_classes(hint))]
    exact = f"; did you mean '{(holders or inside)[0]}'?" if holders or inside else ""
    known = f" (it has: {', '.join(cls.options()) or 'none'})"
    return f"{path}: {cls.__name__} has no option '{name}'{exact or nearest(name, cls.options()) or known}"
