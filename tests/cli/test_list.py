from __future__ import annotations

from typing import Any

from smolrecipes.registry import registry


def test_everything_installed_is_listed(cli: Any) -> None:
    out = cli("list").out
    for component, _ in registry().all():
        assert f"\n{component.name} " in out
        assert (component.__doc__ or "").splitlines()[0][:40] in out
    for recipe in registry().recipes():
        assert f"\n{recipe} " in out


def test_a_description_of_several_lines_is_whole(cli: Any) -> None:
    """Wrapped, up to its last word."""
    shown = " ".join(cli("list", "objective").out.split())
    assert "its softened predictions and the direction of its hidden states, at the hidden tokens." in shown


def test_one_kind_with_its_options(cli: Any) -> None:
    out = cli("list", "objectives").out
    assert out == cli("list", "objective").out
    assert "beta=0.1, learn=answer" in out and "lora" not in out
    assert "smolrecipes 0." not in out
    assert "orpo_lora" in cli("list", "recipes").out


def test_lines_are_as_wide_as_the_terminal(cli: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = cli("list", "objective").out
    assert 50 < max(map(len, out.splitlines())) <= 60
    names = registry().names("objective")
    assert all(line.split()[0] in names for line in out.splitlines()[2:] if not line.startswith(" "))


def test_what_a_plugin_brings_is_said(cli: Any, install: Any) -> None:
    text = "from smolrecipes.hookspecs import hookimpl\nfrom smolrecipes.kinds import Adapter\nclass Acme(Adapter):\n"
    text += "    '''An [odd] one.'''\n    def apply(self, m, t):\n        return m\n"
    install(
        "acme-adapters", "0.3", "acme", f"{text}@hookimpl\ndef smolrecipes_register_adapters():\n    return [Acme]\n"
    )
    out = cli("list", "adapter").out
    line = next(line for line in out.splitlines() if line.startswith("acme"))
    assert " ".join(line.split()) == "acme An [odd] one. (acme-adapters 0.3)"
    plugins = cli("list", "--plugins").out
    line = next(line for line in plugins.splitlines() if line.startswith("acme-adapters"))
    assert line.split() == ["acme-adapters", "0.3", "adapter:acme"]
