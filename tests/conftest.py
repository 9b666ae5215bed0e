"""What several tests need: plugins that are installed for one test only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smolrecipes.registry import registry

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of one module: `install("acme-recipes", "0.3", "acme", text)`; gone after the test."""
    site = tmp_path / "site-packages"
    site.mkdir()
    before = set(sys.modules)
    monkeypatch.delenv("SMOLRECIPES_PLUGINS", raising=False)

    def put(distribution: str, version: str, module: str, text: str) -> Path:
        (site / f"{module}.py").write_text(text, encoding="utf-8")
        facts = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (facts / "entry_points.txt").write_text(f"[smolrecipes]\n{module} = {module}\n")
        monkeypatch.syspath_prepend(str(site))
        registry.cache_clear()
        return site

    yield put
    registry.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
