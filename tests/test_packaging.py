"""The wheels: what they hold, and that they work outside the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "plugins" / "smolrecipes-simpo"
OUTSIDE = """
import json, smolrecipes, smolrecipes.recipes.orpo_lora as recipe, smolrecipes_simpo
print(json.dumps([smolrecipes.__file__, recipe.__file__, smolrecipes_simpo.__file__]))
"""


def project(folder: Path = ROOT) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def built(source: Path, folder: Path) -> Path:
    """The wheel of a copy of `source`: building leaves folders behind, and old ones would get into the wheel."""
    copy = folder / f"source-{source.name}"
    skip = shutil.ignore_patterns(".git", ".*cache", "build", "runs", "*.egg-info", "__pycache__", "tests", "docs")
    shutil.copytree(source, copy, ignore=skip)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    before = set(folder.glob("*.whl"))
    done = subprocess.run([*pip, "-w", str(folder), str(copy)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    for tool, oldest in (("pip", 21), ("setuptools", 77)):
        found = next((one.version for one in distributions(name=tool)), "0")
        if int(found.split(".")[0]) < oldest:
            pytest.skip(f"building a wheel needs {tool}>={oldest}")
    folder = tmp_path_factory.mktemp("wheels")
    return built(ROOT, folder), built(PLUGIN, folder)


@pytest.fixture(scope="session")
def site(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which both wheels are installed."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(folder)]
    done = subprocess.run([*pip, *map(str, wheels)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def outside(site: Path, *words: str) -> str:
    """What Python says in an empty folder where only the installed wheels are found."""
    empty = site.parent / "empty"
    empty.mkdir(exist_ok=True)
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SMOLRECIPES"))}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=empty,
        env={**keep, "PYTHONPATH": str(site), "PYTHONUTF8": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_listed_packages_are_the_folders_on_disk() -> None:
    listed = project()["tool"]["setuptools"]["packages"]
    package = ROOT / "smolrecipes"
    folders = {file.parent for file in package.rglob("*.py")} - {package / "recipes"}
    for folder in folders:
        assert (folder / "__init__.py").is_file(), f"{folder} has no __init__.py"
    on_disk = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert sorted(listed) == sorted({*on_disk, "smolrecipes.recipes"})


def test_the_version_is_the_same_everywhere() -> None:
    import smolrecipes

    assert project()["project"]["version"] == smolrecipes.__version__


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheels: tuple[Path, Path]) -> None:
    """Code, recipes, chat templates, the mark that the types are public, the licence."""
    with zipfile.ZipFile(wheels[0]) as archive:
        inside = {name for name in archive.namelist() if not name.endswith("/")}
        facts = {name for name in inside if ".dist-info/" in name}
        metadata = archive.read(next(name for name in facts if name.endswith("METADATA"))).decode()
    source = [path for path in (ROOT / "smolrecipes").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(ROOT).as_posix() for path in source}
    expected |= {f"smolrecipes/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.py")}
    assert inside - facts == expected
    assert {"smolrecipes/py.typed", "smolrecipes/tokenizers/chatml.jinja", "smolrecipes/recipes/orpo_lora.py"} <= inside
    assert any(name.endswith("/licenses/LICENSE") for name in facts)
    assert "License-Expression: Apache-2.0" in metadata
    assert re.search(r"Requires-Dist: deepspeed.*sys_platform == .linux.", metadata)


def test_the_plugin_s_wheel_holds_one_module_and_its_entry_point(wheels: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(wheels[1]) as archive:
        names = archive.namelist()
        assert [name for name in names if ".dist-info/" not in name] == ["smolrecipes_simpo.py"]
        entry = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert entry.split() == ["[smolrecipes]", "simpo", "=", "smolrecipes_simpo"]
    assert len((PLUGIN / "smolrecipes_simpo.py").read_text(encoding="utf-8").splitlines()) < 60


def test_what_is_imported_outside_the_checkout_is_what_was_installed(site: Path) -> None:
    for file in json.loads(outside(site, "-c", OUTSIDE)):
        assert site in Path(file).parents


def test_the_installed_plugin_is_listed_with_its_distribution(site: Path) -> None:
    listed = " ".join(outside(site, "-m", "smolrecipes", "list", "objective").split())
    assert "simpo Simple preference optimisation (arXiv:2405.14734). (smolrecipes-simpo 0.1.0)" in listed
    assert "orpo Odds ratio preference optimisation" in listed
    plugins = outside(site, "-m", "smolrecipes", "list", "--plugins")
    assert re.search(r"^ *smolrecipes-simpo +0\.1\.0 +objective:simpo *$", plugins, re.MULTILINE)


def test_the_installed_plugin_is_named_on_the_command_line(site: Path) -> None:
    shown = outside(site, "-m", "smolrecipes", "show", "orpo_lora", "objective=simpo", "objective.beta=2", "--json")
    recipe = json.loads(shown)
    assert recipe["objective"] == {"use": "objective:simpo", "beta": 2.0, "gamma": 1.0}
    assert recipe["plugins"] == {"smolrecipes-simpo": "0.1.0"}
    table = outside(site, "-m", "smolrecipes", "show", "orpo_lora", "objective=simpo")
    assert re.search(r"^ *objective +simpo +command line", table, re.MULTILINE)
