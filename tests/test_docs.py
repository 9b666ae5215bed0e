"""The documents are true: their recipes load, their commands parse, their names exist."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pairs import OBJECTIVES, PAIRS

import smolrecipes
from smolrecipes import Causal, Recipe, hookspecs, run
from smolrecipes.__main__ import main
from smolrecipes.architectures.scratch import Scratch
from smolrecipes.load import load_recipe
from smolrecipes.pipeline import clusters
from smolrecipes.pipeline.stages import on_cores
from smolrecipes.registry import registry
from smolrecipes.serialize import dumps

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS = "".join(f'{{"prompt": "Say {n}.", "chosen": "{n}", "rejected": "two"}}\n' for n in range(20))
STEPS = """
from smolrecipes import DPO, ByteBPE, DropDuplicates, Files, Llama, Recipe
data = Files("rows.jsonl").pipe(DropDuplicates())
recipe = Recipe(model=Llama(layers=1, hidden=32, heads=2), tokenizer=ByteBPE(vocab_size=300), objective=DPO(), data=data)
"""
RUN = importlib.import_module("smolrecipes.run")


def blocks(language: str) -> list[Any]:
    """Every fenced block of a language, named by its page and line."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in FENCE.finditer(text):
            line = text[: block.start()].count("\n") + 1
            if block[1] == language:
                found.append(pytest.param(block[2], id=f"{page.name}:{line}"))
    return found


def commands() -> list[Any]:
    """The words of every `smolrecipes ...` and `accelerate launch ... -m smolrecipes ...` of the bash blocks."""
    found: dict[str, list[str]] = {}
    for block in blocks("bash"):
        for line in block.values[0].replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                if words[:1] == ["smolrecipes"] or (words[:2] == ["accelerate", "launch"] and "smolrecipes" in words):
                    found[" ".join(words)] = words
    return [pytest.param(words, id=text) for text, words in found.items()]


def ours(words: list[str]) -> list[str]:
    """What smolrecipes gets of a command; accelerate's own options are read by accelerate."""
    if words[0] == "smolrecipes":
        return words[1:]
    from accelerate.commands.launch import launch_command_parser

    parsed = launch_command_parser().parse_args(words[2:])
    assert parsed.module and parsed.training_script == "smolrecipes"
    return list(parsed.training_script_args)


def loaded(text: str, folder: Path) -> ModuleType:
    """A python block as a module of its own: the annotations of its classes are looked up there."""
    path = folder / "block.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("block_of_a_document", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def test_there_is_something_to_test() -> None:
    assert len(blocks("python")) >= 4 and len(commands()) >= 10


def test_the_readme_s_recipe_is_the_file() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## A recipe\n")[2]
    block = FENCE.search(section)
    assert block and block[2] == (ROOT / "recipes" / "orpo_lora.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", blocks("python"))
def test_what_a_block_imports_exists(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "smolrecipes":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


@pytest.mark.parametrize("text", blocks("python"))
def test_a_block_runs(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the training itself."""
    asked: list[Recipe] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(smolrecipes, "run", lambda recipe, **_: asked.append(recipe))
    monkeypatch.setattr(Recipe, "trainer", lambda recipe, **_: asked.append(recipe))
    module = loaded(text, tmp_path)
    assert isinstance(getattr(module, "recipe", None), Recipe) or not hasattr(module, "recipe")
    assert len(asked) == text.count(" run(") + text.count(".trainer(")


def on_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor and its options are looked at, and the steps of a recipe file are done here."""
    named = clusters.named
    monkeypatch.setattr(clusters, "named", lambda *given: named(*given) and on_cores)
    Path("rows.jsonl").write_text(ROWS, encoding="utf-8")
    Path("mine.py").write_text(STEPS, encoding="utf-8")


@pytest.mark.parametrize("words", commands())
def test_a_command_is_understood(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Really run, with only the training left out, beside the shipped recipes and with files of the names given."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "recipes", "recipes", ignore=shutil.ignore_patterns("__pycache__"))
    for name in re.findall(r"(?:=|data )(\w+\.jsonl)", " ".join(words)):
        Path(name).write_text(ROWS, encoding="utf-8")
    if "--on" in words:
        on_no_cluster(monkeypatch)
    asked: list[Recipe] = []
    monkeypatch.setattr(RUN, "run", lambda recipe, **_: asked.append(recipe))
    arguments = ours(words)
    monkeypatch.setattr(sys, "argv", ["smolrecipes", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr()
    if arguments[0] in ("chat", "eval", "export", "serve", "try"):
        assert re.match(r"error: runs/[\w/.-]+: there is no such run", said.err)
        if arguments[0] in ("eval", "export"):
            names_and_options_exist(monkeypatch)
        return
    assert (ended.value.code, said.err) == (0, "")
    if arguments[0] in ("show", "list", "new", "plan", "data", "tokens", "check", "prove"):
        assert said.out and not asked
        return
    recipe, *changes = [word for word in arguments if word != "run" and not word.startswith("-")]
    plain = load_recipe(recipe)
    assert [one.title for one in asked] == [plain.title]
    assert (asked[0] != plain) is bool(changes)


class Understood(Exception):
    """The command line was read to its end."""


def names_and_options_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """What eval and export read before they load anything, of a run of `function_calling`."""
    recipe = load_recipe("function_calling")
    Path("runs/last").mkdir(parents=True)
    Path("runs/last/recipe.json").write_text(dumps(recipe), encoding="utf-8")
    folder, launch = "smolrecipes.cli.folder", "smolrecipes.launch.join"
    monkeypatch.setattr(f"{folder}.model_or_file", lambda path: path if path.suffix else path / "model")
    monkeypatch.setattr(f"{folder}.finished_run", lambda path: smolrecipes.Run(path, recipe))
    for reached in ("smolrecipes.evaluation.subject_of", launch):
        monkeypatch.setattr(reached, reach)
    with pytest.raises(Understood):
        main()


def reach(*_: Any) -> None:
    raise Understood


def test_the_runs_and_the_models_of_the_pages_are_recipes() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    named = set(re.findall(r"runs/(\w+)-[0-9a-f]{8}\b", pages)) | set(re.findall(r'"model": "(\w+)"', pages))
    assert "function_calling" in named and not named - {recipe.stem for recipe in (ROOT / "recipes").glob("*.py")}


def table() -> str:
    """The families of docs/architectures.md, as they say of themselves what they are."""
    lines = ["| component | family | `specials` | packs | lacks | what it is |", "|---|---|---|---|---|---|"]
    for kind in ("decoder", "encoder", "encoder-decoder"):
        for one in registry().plugins()[0].components:
            if issubclass(one, Scratch) and one is not Causal and one.family == kind:
                packs, lacks, what = "yes" if one.exact else "no", ", ".join(one.lacks), str(one.__doc__).split("\n")[0]
                lines.append(f"| `{one.__name__}` | {kind} | {one.specials} | {packs} | {lacks} | {what} |")
    return "\n".join(lines)


def test_the_table_of_architectures_is_theirs() -> None:
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    found = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    assert found == table(), f"the table should be:\n\n{table()}"


def objectives() -> str:
    """The objectives of docs/objectives.md, as they say of themselves what they are."""
    lines = ["| objective | fits | rows | packs | measures | what it is |", "|---|---|---|---|---|---|"]
    for one in OBJECTIVES:
        fits, rows = ", ".join(one.types or one.families), ", ".join(one.rows)
        packs, measures = "yes" if one.packs else "no", (*one.metrics, "")[0].replace("_", " ")
        what = " ".join(str(one.__doc__).split("\n\n")[0].split())
        lines.append(f"| `{one.__name__}` | {fits} | {rows} | {packs} | {measures} | {what} |")
    return "\n".join(lines)


def pairs() -> str:
    """Which objective fits which architecture: the matrix that tests/full/test_objectives.py trains."""
    kinds = list(dict.fromkeys(type(pair.model) for pair in PAIRS))
    lines = ["| architecture | trains with |", "|---|---|"]
    for kind in kinds:
        fitting = dict.fromkeys(pair.objective for pair in PAIRS if type(pair.model) is kind)
        lines.append(f"| `{kind.__name__}` | {', '.join(one.name for one in OBJECTIVES if one in fitting)} |")
    return "\n".join(lines)


def test_the_tables_of_objectives_are_theirs() -> None:
    page = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")
    for expected in (objectives(), pairs()):
        assert f"\n\n{expected}\n\n" in page, f"there should be:\n\n{expected}"


def test_every_hook_is_described_with_its_signature() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    tree = ast.parse(Path(hookspecs.__file__).read_text(encoding="utf-8"))
    hooks = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(hooks) == 10
    for hook in hooks:
        assert f"\ndef {hook.name}({ast.unparse(hook.args)}) -> {ast.unparse(hook.returns or hook)}: ..." in page
        assert f"\n| `{hook.name.removeprefix('smolrecipes_register_')}` |" in page


def test_the_objective_of_the_page_on_plugins_trains(tmp_path: Path) -> None:
    """As written, but small; in micro-batches of any size it is the same."""
    (text,) = [block.values[0] for block in blocks("python") if "class Completion" in block.values[0]]
    (tmp_path / "completion.py").write_text(text, encoding="utf-8")
    small = ["model.hidden=32", "model.layers=1", "tokenizer.vocab_size=300", "data.rows=24", "validation=4"]
    short = ["training.epochs=none", "training.steps=4", "training.global_batch_size=8", "training.log_every=1"]
    found = []
    for micro in (8, 3):
        rest = [f"training.micro_batch_size={micro}", "training.device=cpu", "training.max_length=128"]
        recipe = load_recipe(tmp_path / "completion.py", [*small, *short, *rest, "decoding.max_new_tokens=2"])
        found.append(run(recipe, runs=tmp_path / f"runs-{micro}").results)
    assert found[0]["after"]["loss"] < found[0]["before"]["loss"] - 0.1
    assert found[1]["after"] == pytest.approx(found[0]["after"], rel=1e-3)
    assert {"brier", "nll", "probability"} <= found[0]["after"].keys()


def test_every_finding_is_listed_with_an_example() -> None:
    from smolrecipes.check.finding import CODES

    text = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \| (error|warning) \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert [(code, level, why, mend) for code, level, _, why, mend in listed] == [(c, *k) for c, k in CODES.items()]
    assert all(len(example) > 10 for _, _, example, _, _ in listed)


def test_every_known_mistake_has_the_test_that_is_named() -> None:
    text = (ROOT / "docs" / "mistakes.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \d+ \|.*\| `(test_\w+)` \|$", text, re.MULTILINE)
    there = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) >= 40
    assert [name for name in named if f"def {name}(" not in there] == []
