"""Bad input through the whole command line: one sentence on stderr, exit code 2, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smolrecipes.__main__ import main
from smolrecipes.console import console

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
PAIRS = [{"prompt": f"say {word}", "chosen": word, "rejected": f"{word[::-1]}!"} for word in WORDS]
RECIPE = """
from smolrecipes import CLM, ORPO, ByteBPE, Decoding, Files, Llama, Recipe, Trained, Training

short = Training(steps=1, global_batch_size=2, max_length=32)
base = Recipe(
    model=Llama(layers=1, hidden=32, heads=2), tokenizer=ByteBPE(vocab_size=300), data=Files("text.jsonl"),
    objective=CLM(), training=short, decoding=Decoding(max_new_tokens=2),
)
recipe = base.replace(data=Files("pairs.jsonl"), objective=ORPO(){more})
"""
FILES = {
    "mine.py": RECIPE.format(more=""),
    "chain.py": RECIPE.format(more=", model=Trained(base), tokenizer=None"),
    "pairs.jsonl": "\n".join(map(json.dumps, PAIRS)),
    "text.jsonl": "\n".join(json.dumps({"text": f"I count {word}"}) for word in WORDS),
    "empty.jsonl": "",
    "blank.jsonl": "\n\n",
    "broken.jsonl": "\n".join([*map(json.dumps, PAIRS * 50), '{"prompt": "say nine"', ""]),
    "single.jsonl": "{'prompt': 'one'}",
    "columns.jsonl": json.dumps({"frage": "wie viele?", "antwort": "drei"}),
    "hole.jsonl": "\n".join(map(json.dumps, [*PAIRS, {"prompt": "x", "chosen": None, "rejected": "y"}])),
    "latin.jsonl": '{"text": "caf\udce9"}',
    "bad.parquet": "PAR1",
    "syntax.py": "x = 1\nrecipe = Recipe(\n",
    "nothing.py": "x = 1\n",
    "number.py": "recipe = 3\n",
    "misspelt.py": "from smolrecipes import ORPPO\n",
    "a_file": "",
    "notes.weird": "hello",
    "broken.json": '{"model": ',
    "foreign.json": '{"model": {"use": "architecture:nope"}, "plugins": {"acme": "0.3"}}',
}
DATA = [
    ("data=gone.jsonl", r"gone\.jsonl: no such file in "),
    ("data=pair.jsonl", r"pair\.jsonl: no such file .*; did you mean 'pairs\.jsonl'\?"),
    ("data=*.csv", r"\*\.csv: no file matches"),
    ("data=empty.jsonl", r"empty\.jsonl: the file is empty"),
    ("data=blank.jsonl", r"blank\.jsonl: the file holds no rows"),
    ("data=broken.jsonl", r"broken\.jsonl:401, column 22: broken JSON"),
    ("data=single.jsonl", r"single\.jsonl:1, column 2: broken JSON: .* double quotes"),
    (
        "data=columns.jsonl",
        r"columns\.jsonl: .*found: frage \(text\), antwort \(text\); needed: .*prompt, chosen and rejected; "
        r"map them with data\.columns, as in data\.columns=",
    ),
    ("data=text.jsonl", r"text\.jsonl holds text rows; ORPO needs prompt, chosen and rejected; map .* data\.columns="),
    ("data=hole.jsonl", r"hole\.jsonl:9: chosen is missing; mend the row, or remove it"),
    ("data=latin.jsonl", r"latin\.jsonl:1: not UTF-8 \(byte 0xe9\); save it as UTF-8"),
    ("data=bad.parquet", r"bad\.parquet cannot be read as parquet"),
    ("data=notes.weird", r"notes\.weird: the extension '\.weird' .* data\.format="),
    ("data=folder", r"folder is a folder without data files"),
    ("data.columns.promt=x", r"data\.columns maps 'promt'"),
    ("validation=gone.jsonl", r"gone\.jsonl: no such file"),
    ("validation=100", r"validation: holding out 100 of 8 rows leaves none"),
    ("training.max_length=3", r"none of the \d rows is left to learn from at training\.max_length=3"),
]
OPTIONS = [
    ("objective.bta=1", r"objective\.bta: ORPO has no option 'bta'; did you mean 'beta'\?"),
    ("objective.beta=x", r"objective\.beta: should be a valid number.* not 'x'"),
    ("objective.beta=-1", r"objective\.beta: should be greater than or equal to 0, not '-1'"),
    ("objective=orpp", r"no objective named 'orpp'; did you mean 'orpo'\?"),
    ("training.steps=1.5", r"training\.steps: should be a valid integer"),
    ("training.steps", r"'training\.steps' is not an override; write option=value"),
    ("seed=-1", r"seed: should be greater than or equal to 0"),
    ("model.hidden=33", r"Llama: hidden=33 over heads=2 .* change one of them"),
    ("model=folder", r"folder has no config\.json, so no model was saved there"),
    ("model=./gone", r"model: there is no folder './gone'"),
    ("model=a_file", r"a_file is a file; name the folder that holds it"),
    ("model=org/nowhere", r"org/nowhere is neither a folder here nor in the cache .*HF_HUB_OFFLINE is set"),
    ("tokenizer=none", r"tokenizer: Llama is built from scratch and brings none; add one"),
    ("adapter=lora adapter.targets=q_prj,", r"(adapter|LoRA)\.targets: .*'q_prj'"),
    ("training.hf.learnin_rate=1", r"training\.hf: .* no field 'learnin_rate'; did you mean 'learning_rate'\?"),
    ("training.hf.learning_rate=1", r"training\.hf: 'learning_rate' would not be used: the recipe decides it"),
    ("training.hf.adam_beta1=x", r"training\.hf\.adam_beta1: should be a valid number"),
    ("training.hf.optim=adammw", r"training: TrainingArguments refuses these options: adammw is not a valid"),
    ("--runs a_file", r"--runs a_file: it is a file; name a folder"),
    ("--runs a_file/runs", r"a_file/runs/mine-\w{8}: cannot write there \(.+\); name another folder with --runs"),
]
RECIPES = [
    ("gone.py", r"gone\.py: there is no such file"),
    ("orpo_lor", r"no recipe named 'orpo_lor'; did you mean 'orpo_lora'\?"),
    ("syntax.py", r"syntax\.py:2: '\(' was never closed: recipe = Recipe\("),
    ("nothing.py", r"nothing\.py: there is no `recipe` in it; it defines x; write recipe = Recipe\(\.\.\.\)"),
    ("number.py", r"number\.py: `recipe` is an int, not a Recipe"),
    ("misspelt.py", r"misspelt\.py:1: ImportError: .*; did you mean 'ORPO'\?"),
    ("folder", r"folder/recipe\.json: there is no such stored recipe"),
    ("broken.json", r"broken\.json:1: broken JSON"),
    ("foreign.json", r"foreign\.json: no architecture named 'nope' .*pip install acme==0\.3"),
]
PLUGIN = """
from smolrecipes.hookspecs import hookimpl
from smolrecipes.kinds import Adapter

class Acme(Adapter, name="acme"):
    def apply(self, model, tokenizer):
        return model

@hookimpl
def smolrecipes_register_adapters():
    return [Acme]
"""
Bad = Callable[..., str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    (here / "folder").mkdir(parents=True)
    for name, text in FILES.items():
        (here / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bad:
    """The sentence that `smolrecipes ...` ends with, run in this process."""
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def call(*words: str) -> str:
        console.cache_clear()
        monkeypatch.setattr(sys, "argv", ["smolrecipes", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return sentence(ended.value.code, capfd.readouterr().err)

    return call


def sentence(code: Any, said: str) -> str:
    """What follows `error: ` on the one line that was said."""
    assert code == 2, said
    assert "Traceback" not in said
    assert said.startswith("error: ") and said.endswith("\n") and said.count("\n") == 1, said
    return said.removeprefix("error: ").removesuffix("\n")


def matches(text: str, pattern: str) -> bool:
    """Whether the sentence begins like the pattern, whichever way this system writes paths."""
    return re.match(pattern, text.replace("\\", "/")) is not None


@pytest.mark.parametrize(("words", "pattern"), [*DATA, *OPTIONS], ids=lambda value: value[:40])
def test_what_a_recipe_cannot_be_run_with(bad: Bad, words: str, pattern: str) -> None:
    said = bad("mine.py", *words.split())
    assert matches(said, pattern), said


@pytest.mark.parametrize(("name", "pattern"), RECIPES, ids=lambda value: value[:40])
def test_what_is_no_recipe(bad: Bad, name: str, pattern: str) -> None:
    said = bad(name)
    assert matches(said, pattern), said


@pytest.mark.parametrize("words", ["data=broken.jsonl", "data=columns.jsonl", "training.hf.foo=1"])
def test_a_mistake_in_the_last_stage_is_found_before_the_first_is_trained(bad: Bad, words: str) -> None:
    assert bad("chain.py", words)
    assert not list(Path().rglob("checkpoints")) and not list(Path().rglob("results.json"))


def test_a_base_that_is_wrong_is_named_as_such(bad: Bad) -> None:
    assert matches(bad("chain.py", "model.recipe.data=empty.jsonl"), r"empty\.jsonl: the file is empty")
    assert matches(bad("chain.py", "model.recipe.objective.bta=1"), r"model\.recipe\.objective\.bta: CLM has no")


def test_two_plugins_with_one_name(bad: Bad, install: Any) -> None:
    install("acme-adapters", "0.3", "acme", PLUGIN)
    install("beta-adapters", "1.0", "beta", PLUGIN)
    said = bad("mine.py", "adapter=acme")
    assert matches(said, r"'adapter acme' is registered by acme-adapters 0\.3 and beta-adapters 1\.0: uninstall one")


def test_a_plugin_that_fails_to_import(bad: Bad, install: Any) -> None:
    install("acme-adapters", "0.3", "acme", "import no_such_module")
    assert matches(bad("mine.py"), r"plugin 'acme' \(acme-adapters 0\.3\) cannot be imported: ModuleNotFoundError")


@pytest.mark.parametrize("refused", ["runs/mine-", "runs/.cache"])
def test_no_permission_to_write(bad: Bad, monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """As the system refuses it; rights bind nobody who runs the tests as root."""
    make = os.makedirs, os.mkdir

    def guarded(which: int) -> Any:
        def call(path: Any, *rest: Any, **more: Any) -> None:
            if refused in Path(path).as_posix():
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            make[which](path, *rest, **more)

        return call

    monkeypatch.setattr(os, "makedirs", guarded(0))
    monkeypatch.setattr(os, "mkdir", guarded(1))
    assert matches(bad("mine.py"), r"runs/.*: cannot write there \(Permission denied\); .*--runs")


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["mine.py", "data=broken.jsonl"], r"broken\.jsonl:401, column 22: broken JSON"),
        (["syntax.py"], r"syntax\.py:2: '\(' was never closed"),
        (["mine.py", "objective.bta=1"], r"objective\.bta: ORPO has no option 'bta'; did you mean 'beta'\?"),
    ],
    ids=" ".join,
)
def test_the_same_from_a_process_of_its_own(
    python: Callable[..., subprocess.CompletedProcess[str]], folder: Path, words: list[str], pattern: str
) -> None:
    done = python("-m", "smolrecipes", *words, HF_HUB_OFFLINE="1", cwd=folder)
    assert matches(sentence(done.returncode, done.stderr), pattern)


@pytest.mark.parametrize(
    ("word", "pattern"),
    [
        ("model=org/nowhere", r"org/nowhere is not in the cache \(.*\), and the hub cannot be reached; fetch it with"),
        ("data=org/nowhere", r"HubData\('org/nowhere'\): the hub cannot be reached, and the cache does not have it"),
    ],
)
def test_a_hub_that_does_not_answer_is_one_sentence_at_once(
    python: Callable[..., subprocess.CompletedProcess[str]], folder: Path, word: str, pattern: str
) -> None:
    """huggingface_hub would try six times, in half a minute, and say so each time."""
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "home")}
    done = python("-m", "smolrecipes", "mine.py", word, cwd=folder, NO_PROXY="127.0.0.1", **nobody)
    assert matches(sentence(done.returncode, done.stderr), pattern)
