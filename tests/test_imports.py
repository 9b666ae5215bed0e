"""Who may import whom, and what stays light: the table of docs/design.md as a test."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import smolrecipes
from smolrecipes.registry import registry

ROOT = Path(__file__).parent.parent
PACKAGE = Path(smolrecipes.__file__).parent
HEAVY = {"torch", "transformers", "datasets", "trl", "peft", "accelerate", "deepspeed", "numpy", "pandas", "tokenizers"}
KINDS = (
    "tokenizers",
    "architectures",
    "data",
    "transforms",
    "objectives",
    "adapters",
    "callbacks",
    "evaluators",
    "exporters",
)
NAMING = {"registry", "named", "values", "override", "serialize", "load"}
"""The modules that name things; what builds and trains imports none of them at top level."""
MAY = {
    "errors": set(),
    "limits": set(),
    "functions": {"errors"},
    "component": {"errors", "functions"},
    "annotations": {"component"},
    "kinds": {"component", "errors", "limits"},
    "decoding": {"component", "errors", "limits"},
    "recipe": {"component", "decoding", "errors", "kinds", "limits"},
    "hookspecs": {"kinds"},
    "registry": {"component", "errors", "kinds", "hookspecs", "builtin"},
    "values": {"annotations", "component", "errors"},
    "serialize": {"annotations", "component", "errors", "functions", "kinds", "recipe", "registry"},
    "named": {"annotations", "component", "errors", "kinds", "recipe", "registry"},
    "override": {"annotations", "component", "errors", "kinds", "recipe", "registry", "named", "values", "serialize"},
    "load": {"component", "errors", "kinds", "recipe", "registry", "named", "override", "serialize"},
}
"""Of smolrecipes' own modules, what each of these may import, anywhere in it."""


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "build" not in path.relative_to(folder).parts)


def imports(path: Path, top: bool = False) -> Iterator[str]:
    """The modules that a file imports when it runs (not under TYPE_CHECKING); with `top`, outside functions only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (top and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            waiting += ast.iter_child_nodes(node)


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def own(path: Path, top: bool = False) -> set[str]:
    """Of smolrecipes' modules, those a file imports, as `kinds`, `data.rows`."""
    names = {module(source) for source in sources(PACKAGE)}
    found = set()
    for name in imports(path, top):
        parts = name.split(".")
        if parts[0] == "smolrecipes":
            inside = [".".join(parts[1:end]) for end in range(len(parts), 1, -1)]
            found.add(next((each for each in inside if each in names), ""))
    return found


@pytest.mark.parametrize("name", MAY)
def test_the_light_core_imports_only_what_is_below_it(name: str) -> None:
    for path in sources(PACKAGE / name) or [PACKAGE / f"{name}.py"]:
        found = own(path, top=name in ("component", "decoding", "kinds", "recipe"))
        extra = {module for module in found if module.split(".")[0] != name} - MAY[name]
        assert not extra, f"{path} imports {extra}"


def test_kinds_do_not_import_each_other_s_modules_at_the_top() -> None:
    for kind in KINDS:
        for path in sources(PACKAGE / kind) if (PACKAGE / kind).is_dir() else []:
            folders = {name.split(".")[0] for name in own(path, top=True)}
            assert not folders & (set(KINDS) - {kind}), f"{path} imports another kind's modules: {folders}"
            assert not folders & (NAMING | {"builtin", "hookspecs", "cli"}), f"{path} imports {folders}"


def test_conversations_are_below_what_learns_and_answers() -> None:
    before: set[str] = set()
    for name in ("render", "calls", "cut", "tokens"):
        found = own(PACKAGE / "conversation" / f"{name}.py")
        assert found <= {"errors", *before}, f"conversation/{name}.py imports {found}"
        before.add(f"conversation.{name}")
    for kind in ("tokenizers", "objectives"):
        assert not any("generate" in own(path) for path in sources(PACKAGE / kind)), kind


def test_of_components_only_those_import_the_recipe_that_hold_a_part_of_it() -> None:
    found = {module(path) for kind in KINDS for path in sources(PACKAGE / kind) if "recipe" in own(path)}
    assert found == {"architectures.trained"}


def test_nobody_imports_the_command_line() -> None:
    for path in sources(PACKAGE):
        if path.parent.name != "cli" and path.name != "__main__.py":
            assert not any(name.split(".")[0] == "cli" for name in own(path)), path


def test_only_the_registry_imports_the_list_of_builtins() -> None:
    assert [module(path) for path in sources(PACKAGE) if "builtin" in own(path)] == ["registry"]


def test_assembling_looks_nothing_up() -> None:
    for name in ("assemble", "build", "trainer", "prepare", "batches", "tally"):
        path = PACKAGE / f"{name}.py"
        if path.exists():
            assert not own(path) & NAMING, path


def test_losses_import_torch_and_nothing_of_ours() -> None:
    path = PACKAGE / "objectives" / "losses.py"
    assert own(path) == set()
    plain = {"__future__", "collections", "functools", "importlib", "inspect", "math", "typing"}
    assert {name.split(".")[0] for name in imports(path)} <= {*plain, "torch", "liger_kernel"}
    assert "liger_kernel" not in {name.split(".")[0] for name in imports(path, top=True)}


def declaring() -> list[Path]:
    files = {Path(str(sys.modules[component.__module__].__file__)) for component, _ in registry().all()}
    names = (*MAY, "builtin", "__init__", "__main__", "console")
    light = {path for name in names for path in sources(PACKAGE / name) or [PACKAGE / f"{name}.py"]}
    return sorted(path for path in files | light if PACKAGE in path.parents)


@pytest.mark.parametrize("path", declaring(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_that_declare_components_import_nothing_heavy(path: Path) -> None:
    heavy = {name.split(".")[0] for name in imports(path, top=True)} & HEAVY
    assert not heavy, f"{path} imports {heavy} at the top; import it where it is used"


@pytest.mark.parametrize("path", sources(ROOT / "recipes"), ids=lambda path: path.stem)
def test_recipes_import_the_public_names_and_other_recipes(path: Path) -> None:
    for name in imports(path):
        assert name.startswith("smolrecipes.") and (name.count(".") == 1 or name.startswith("smolrecipes.recipes.")), (
            f"{path} imports {name}"
        )


@pytest.mark.parametrize("path", sources(ROOT / "plugins") if (ROOT / "plugins").is_dir() else [], ids=str)
def test_plugins_import_the_public_names(path: Path) -> None:
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "smolrecipes":
            assert len(parts) == 2 or parts[1] == "testing", f"{path} imports {name}"


BLOCKED = """
import runpy, sys
for name in {heavy!r}:
    sys.modules[name] = None
sys.argv = ["smolrecipes", *{arguments!r}]
runpy.run_module({module!r}, run_name="__main__")
"""


def without_heavy(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = BLOCKED.format(heavy=sorted(HEAVY), arguments=arguments, module=module)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("list",),
        ("list", "--plugins"),
        ("show", "orpo_lora"),
        ("show", "orpo_lora", "objective.beta=0.3", "--json"),
        ("show", "orpo_lora", "dpo_lora"),
    ],
    ids=" ".join,
)
def test_what_only_tells_works_without_torch(arguments: tuple[str, ...]) -> None:
    done = without_heavy("smolrecipes", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_every_recipe_is_imported_without_torch() -> None:
    for path in registry().recipes().values():
        done = without_heavy(path)
        assert (done.returncode, done.stderr) == (0, ""), path


def test_help_and_list_import_no_more_than_they_need() -> None:
    """What makes a start slow: the first ones cost a tenth of a second or more, all of them together another tenth."""
    light = {"annotated_types", "logging", "hashlib", "rich", "smolrecipes.data.recognise"}
    slow = {
        "--help": {"pydantic", "asyncio", "importlib.metadata", "socket", "tempfile", "zipfile", *light},
        "list": {"pydantic", "asyncio", "smolrecipes.cli.run", *light},
    }
    for argument, modules in slow.items():
        code = f"import sys; sys.argv = ['smolrecipes', {argument!r}]\nfrom smolrecipes.__main__ import main\n"
        code += "try:\n    main()\nexcept SystemExit:\n    print(*sys.modules, file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
        loaded = set(done.stderr.split())
        assert "smolrecipes.cli.app" in loaded
        assert not loaded & modules, f"{argument} imports {loaded & modules}"
