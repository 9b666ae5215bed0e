"""What several tests need: plugins that are installed for one test only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from smolrecipes.registry import registry

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # before torch is imported: workers with as many threads as cores wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("suite", deadline=None)  # how long a test takes is not what it asks
settings.load_profile("suite")

Install = Callable[..., Path]
Python = Callable[..., "subprocess.CompletedProcess[str]"]
CHECKOUT = Path(__file__).parents[1]


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Another Python, in the test's folder, with this very checkout: `python("-m", "smolrecipes", "list")`."""
    found = [str(CHECKOUT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(found), "PYTHONUTF8": "1", "COLUMNS": "200"}

    def call(*words: str, cwd: Path = tmp_path, **more: str) -> subprocess.CompletedProcess[str]:
        given: Any = {"cwd": cwd, "env": {**env, **more}, "encoding": "utf-8", "timeout": 300}
        return subprocess.run([sys.executable, *words], capture_output=True, text=True, **given)

    return call


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
