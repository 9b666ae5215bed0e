"""The hooks: what a plugin can bring. Each names classes or recipes; none changes a run by itself.

A plugin is a module with some of these functions, each marked `@hookimpl`, and an entry point in the group `smolrecipes`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pluggy import HookimplMarker, HookspecMarker

from smolrecipes.kinds import Adapter, Architecture, Callback, Data, Evaluator, Exporter, Objective, Tokenizer, Transform

hookspec = HookspecMarker("smolrecipes")
hookimpl = HookimplMarker("smolrecipes")


@hookspec
def smolrecipes_register_tokenizers() -> Iterable[type[Tokenizer]]:  # type: ignore[empty-body]
    """Ways to obtain or train a tokenizer."""


@hookspec
def smolrecipes_register_architectures() -> Iterable[type[Architecture]]:  # type: ignore[empty-body]
    """Models, built from sizes or loaded with their weights."""


@hookspec
def smolrecipes_register_data() -> Iterable[type[Data]]:  # type: ignore[empty-body]
    """Places that rows come from."""


@hookspec
def smolrecipes_register_transforms() -> Iterable[type[Transform]]:  # type: ignore[empty-body]
    """Stages of data preparation: rows in, rows out."""


@hookspec
def smolrecipes_register_objectives() -> Iterable[type[Objective]]:  # type: ignore[empty-body]
    """What is minimised."""


@hookspec
def smolrecipes_register_adapters() -> Iterable[type[Adapter]]:  # type: ignore[empty-body]
    """What is trained instead of all the weights."""


@hookspec
def smolrecipes_register_callbacks() -> Iterable[type[Callback]]:  # type: ignore[empty-body]
    """What watches a run."""


@hookspec
def smolrecipes_register_evaluators() -> Iterable[type[Evaluator]]:  # type: ignore[empty-body]
    """Numbers about a trained model."""


@hookspec
def smolrecipes_register_exporters() -> Iterable[type[Exporter]]:  # type: ignore[empty-body]
    """Deliverables made from a run."""


@hookspec
def smolrecipes_register_recipes() -> Iterable[str]:  # type: ignore[empty-body]
    """Import paths of modules with a `recipe`, such as "acme.recipes.chat"; imported only when asked for."""
