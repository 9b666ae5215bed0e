from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from smolrecipes import hookspecs
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import KINDS
from smolrecipes.registry import HEAVY, HOOKED, PREFIX, registry

ADAPTER = """
from smolrecipes.hookspecs import hookimpl
from smolrecipes.kinds import Adapter

class {cls}(Adapter, name="{name}"):
    '''An adapter.'''

    r: int = 4
    '''A number.'''

    def apply(self, model, tokenizer):
        return model

@hookimpl
def smolrecipes_register_adapters():
    return [{cls}]
"""


def test_every_kind_has_a_hook_and_recipes_are_the_tenth() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith(PREFIX)]
    assert sorted(hooks) == sorted(f"{PREFIX}{name}" for name in (*HOOKED, "recipes"))
    assert sorted(HOOKED.values()) == sorted(KINDS)
    assert len(inspect.getsource(hookspecs).splitlines()) < 100


def test_builtins_are_found_by_kind_and_name() -> None:
    from smolrecipes.objectives.orpo import ORPO

    assert registry().find("objective", "orpo") is ORPO
    owner = registry().owner(ORPO)
    assert owner is not None and owner.distribution == "smolrecipes"
    assert registry().recipes()["orpo_lora"] == "smolrecipes.recipes.orpo_lora"


def test_an_unknown_name_suggests_the_nearest_and_lists_what_is_installed() -> None:
    with pytest.raises(
        RecipeError, match=r"no objective named 'orpp'; did you mean 'orpo'\? \(installed: classification, clm,"
    ):
        registry().find("objective", "orpp")


def test_a_plugin_adds_a_name_and_nothing_else(install: Any) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="acme"))
    assert registry().find("adapter", "acme").name == "acme"
    assert [str(plugin) for plugin in registry().plugins()][-1] == "acme-adapters 0.3"
    brings = {component.name: str(plugin) for component, plugin in registry().all()}
    assert brings["acme"] == "acme-adapters 0.3"


def test_two_distributions_with_one_name_are_both_named(install: Any) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="acme"))
    install("beta-adapters", "1.0", "beta", ADAPTER.format(cls="Beta", name="acme"))
    with pytest.raises(RecipeError, match=r"'adapter acme' is registered by acme-adapters 0.3 and beta-adapters 1.0"):
        registry()


def test_a_plugin_cannot_take_the_name_of_a_builtin(install: Any) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="lora"))
    with pytest.raises(RecipeError, match=r"'adapter lora' is registered by smolrecipes .* and acme-adapters 0.3"):
        registry()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import no_such_thing", r"acme-adapters 0.3\) cannot be imported: ModuleNotFoundError: .*no_such_thing"),
        ("1 / 0", r"acme-adapters 0.3\) cannot be imported: ZeroDivisionError"),
        ("def f(:", r"acme-adapters 0.3\) cannot be imported: SyntaxError"),
        (
            ADAPTER.format(cls="A", name="a").replace("register_adapters", "register_adaptrs"),
            r"there is no hook 'smolrecipes_register_adaptrs'; did you mean 'smolrecipes_register_adapters'",
        ),
        (
            ADAPTER.format(cls="A", name="a").replace("def smolrecipes_register_adapters", "def register_adapters"),
            r"acme-adapters 0.3\).*register_adapters",
        ),
        (
            ADAPTER.format(cls="A", name="a").replace("@hookimpl", ""),
            r"mark smolrecipes_register_adapters with @hookimpl",
        ),
        (
            ADAPTER.format(cls="A", name="a").replace("register_adapters", "register_objectives"),
            r"registers A as objective, but it is not a subclass of Objective",
        ),
        (
            ADAPTER.format(cls="A", name="a").replace("return [A]", "return A"),
            r"smolrecipes_register_adapters fails: TypeError",
        ),
        (ADAPTER.format(cls="A", name="a").replace("return [A]", "return [A()]"), r"registers A\(\) as adapter"),
        (
            ADAPTER.format(cls="A", name="a").replace("adapters()", "adapters(x)"),
            r"acme-adapters 0.3\) has a wrong hook",
        ),
    ],
)
def test_a_broken_plugin_is_named_with_its_version_in_one_sentence(install: Any, text: str, sentence: str) -> None:
    install("acme-adapters", "0.3", "acme", text)
    with pytest.raises(RecipeError, match=sentence) as found:
        registry()
    assert "\n" not in str(found.value)


def test_plugins_can_be_chosen_to_bisect(install: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="acme"))
    install("broken", "1.0", "broken", "1 / 0")
    for chosen, names in (
        ("acme", ["smolrecipes", "acme-adapters"]),
        ("acme-adapters", ["smolrecipes", "acme-adapters"]),
    ):
        monkeypatch.setenv("SMOLRECIPES_PLUGINS", chosen)
        registry.cache_clear()
        assert [plugin.distribution for plugin in registry().plugins()] == names
    monkeypatch.setenv("SMOLRECIPES_PLUGINS", "")
    registry.cache_clear()
    assert [plugin.distribution for plugin in registry().plugins()] == ["smolrecipes"]


def test_choosing_a_plugin_that_is_not_there_is_a_mistake(install: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="acme"))
    monkeypatch.setenv("SMOLRECIPES_PLUGINS", "acmee")
    with pytest.raises(RecipeError, match="'acmee', which is not installed; did you mean 'acme'"):
        registry()


def test_a_plugin_that_imports_something_heavy_is_named_in_a_warning(
    install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "torch" in HEAVY
    monkeypatch.setattr("smolrecipes.registry.HEAVY", ("lead",))
    site = install("acme-adapters", "0.3", "acme", "import lead\n" + ADAPTER.format(cls="Acme", name="acme"))
    (site / "lead.py").touch()
    with pytest.warns(UserWarning, match=r"plugin 'acme' \(acme-adapters 0.3\) imports lead at import time"):
        found = registry().plugins()[-1]
    assert found.heavy == ("lead",)


def test_a_light_plugin_gives_no_warning(install: Any) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="acme"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry()


def test_recipes_of_plugins_are_import_paths(install: Any) -> None:
    text = "from smolrecipes.hookspecs import hookimpl\n@hookimpl\ndef smolrecipes_register_recipes():\n"
    text += "    return [{!r}]\n"
    install("acme", "0.3", "acme", text.format("acme_recipes.chat"))
    assert registry().recipes()["chat"] == "acme_recipes.chat"
    install("other", "0.1", "other", text.format("not a path"))
    with pytest.raises(RecipeError, match=r"other 0\.1.*'not a path' as a recipe; give its import path"):
        registry()
