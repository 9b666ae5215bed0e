"""The suite runs at a toy size, and its results have the shape that the tables, plots and targets read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

SUITE = Path(__file__).with_name("run.py")


def marks() -> list[str]:
    """What report.py writes between, read from its source: the suite's modules are no package."""
    return re.findall(r'"(<!-- .*? -->)"', SUITE.with_name("report.py").read_text(encoding="utf-8"))


@pytest.fixture
def results(tmp_path: Path, python: Any) -> Path:
    """Ours and the bare loop, one turn each."""
    out = tmp_path / "results.json"
    words = ["orpo_tiny_lora", "--quick", "--repeats=1", "--only=ours,bare", "--threads=1", f"--out={out}"]
    done = python(str(SUITE), *words)
    assert done.returncode == 0, done.stderr
    return out


def test_results_tables_and_plots(results: Path, tmp_path: Path, python: Any) -> None:
    found = json.loads(results.read_text())
    case = found["cases"]["orpo_toy_lora"]
    assert set(case["runs"][0]) == {"ours", "bare"}
    for run in case["runs"][0].values():
        assert len(run["steps"]) == case["case"]["steps"] and min(run["steps"]) > 0 and run["first_step"] > 0
    assert case["tokens_per_step"] > 0 and len(case["summary"]["against"]["bare"]["speed"]) == 3
    assert case["exact"]["ours"]["loss"] < 1e-5 and case["exact"]["ours"]["gradients"] < 1e-4
    assert found["machine"]["versions"]["torch"] and found["machine"]["threads"] == 1

    pytest.importorskip("matplotlib")
    page = tmp_path / "page.md"
    begin, end = marks()[:2]
    page.write_text(f"above\n{begin}\nold\n{end}\nbelow\n")
    done = python(str(SUITE), f"--report={results}", f"--docs={page}")
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("above\n") and text.endswith("below\n") and "old" not in text
    assert "orpo_toy_lora: loss against the padded computation" in text
    assert (tmp_path / "page" / "cases.png").stat().st_size > 1000


def test_the_page_has_the_marks() -> None:
    page = SUITE.parents[2] / "docs" / "benchmarks.md"
    assert [page.read_text(encoding="utf-8").count(mark) for mark in marks()] == [1, 1, 1, 1]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A module of the suite, which is no package."""
    monkeypatch.syspath_prepend(SUITE.parent)
    return import_module


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--report=none.json"], "there is no file none.json"),
        (["--report=pyproject.toml"], "pyproject.toml holds no results of this command"),
        (["sft_huge"], "there is no sft_huge; choose from clm_tiny_full, "),
        (["scaling", "--axes=width"], "there is no width; choose from length, batch, vocabulary, rows"),
        (["--repeats=0"], "0 is no number of turns; give 1 or more"),
        (["--data=none.jsonl"], "there is no file none.jsonl"),
    ],
)
def test_a_mistake_in_the_command_is_a_sentence(
    module: Callable[[str], Any],
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(SUITE.parents[2])
    with pytest.raises(SystemExit) as stopped:
        module("run").parser().parse_args(words)
    assert stopped.value.code == 2 and said in capsys.readouterr().err


def test_where_nobody_takes_part_nothing_is_measured(
    module: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run, found = module("run"), {"gpu": {"before": 1}}
    list(run.work("gpu", run.parser().parse_args(["gpu", "options", "--only=muon"]), found))
    assert found == {"gpu": {"before": 1}}
    assert "nobody of --only=muon takes part" in capsys.readouterr().out


def test_a_hiccup_in_one_step_is_none_of_the_result(module: Callable[[str], Any]) -> None:
    ours = {"steps": [1.0, 9.0, 2.0], "peak_mib": 10.0, "first_step": 1.0}
    theirs = {"steps": [2.0, 2.0, 4.0], "peak_mib": 40.0, "first_step": 1.0}
    told = module("report").summary({"runs": [{"ours": ours, "bare": theirs}], "tokens_per_step": 100})
    assert told["against"]["bare"] == {"speed": [2.0, 2.0, 2.0], "memory": [0.25, 0.25, 0.25]}
    assert told["ours"]["seconds"] == [4.0, 4.0, 4.0] and told["bare"]["tokens"] == [37.5, 37.5, 37.5]


@pytest.mark.parametrize("default", [None, {"failed": "out of memory"}, {"killed": 9}])
def test_options_without_a_default_to_compare_with(module: Callable[[str], Any], default: Any) -> None:
    muon = {"steps": [0.5], "peak_mib": 10, "first_step": 1}
    run = {"option:muon": muon} | ({"option:default": default} if default else {})
    told = module("report").options({"runs": [run], "tokens_per_step": 100})
    assert "| muon | 200 |  | 10 |  |" in told
    assert not default or f"| default | {'killed by signal 9' if 'killed' in default else 'out of memory'} |" in told


def test_who_was_killed_is_shown(module: Callable[[str], Any]) -> None:
    cases = {"dpo": {"runs": [{"trl": {"steps": [1.0]}}, {"trl": {"killed": 9}}, {"trl": {"killed": 9}}]}}
    assert module("report").failures(cases) == "- dpo, TRL: killed by signal 9"


def test_what_falls_short_by_little_is_not_shown_as_the_goal(module: Callable[[str], Any]) -> None:
    assert module("targets").at_least("speed", 0.95, 0.948)[2:] == ("0.948", False)
    assert module("targets").at_most("memory", 0.15, 0.152)[2:] == ("0.152", False)


def test_where_the_time_goes_until_the_first_step(python: Any) -> None:
    """And that a run which needs none of them imports neither TRL nor what others plot and fit with."""
    words = ["run", "char_gpt", "training.steps=1", "data.rows=60", "training.rehearse=false"]
    done = python(str(SUITE.with_name("first_step.py")), *words, SMOLRECIPES_STARTED="0")
    assert done.returncode == 0, done.stderr
    spent = json.loads(done.stdout.splitlines()[-1])
    parts = {"import torch", "import transformers", "rows", "tokenizer", "model", "tokenising", "first evaluation"}
    assert parts <= set(spent) and min(spent["import torch"]) > 0
    assert not {"import trl", "import sklearn", "import scipy", "import matplotlib"} & set(spent)


def test_the_targets_of_scripts_are_told(module: Callable[[str], Any]) -> None:
    def side(name: str, reached: list[float], end: float) -> dict[str, Any]:
        curve = {"0": [4.2, 0.5], "2000": [1.87, end]}
        facts = {"steps": 2000, "held_out": 1.87, "seconds": end + 9, "ms_per_step": 20.0, "reached": reached}
        return {"side": name, "repeat": 0, "curve": curve, **facts}

    runs = [side("bare", [2000, 40.0], 40.0), side("char_gpt", [1250, 30.0], 50.0), side("char_llama", [], 50.0)]
    share = {"seconds": [0.8, 0.95, 1.1], "cpu": [0.9, 1.0, 1.1]}
    calls = {
        name: {"seconds": 2.0, "cpu": 4.0}
        for name in ("encode_batch", "encode_batch_fast", "prepare", "prepared before")
    }
    printed = json.dumps({"text": {"rows": 5000, "megabytes": 10, **calls, "prepare / encode_batch": share}})
    scripts = {"tokenise": {"printed": printed, "results": None}, "char_gpt": {"printed": "", "results": runs}}
    found = module("report").reached({}, scripts)
    assert "| plain text: speed of tokenizers' own | at least 0.9 | 0.950 | yes |" in found
    assert "| char_gpt: time until its loss is 1.88, of nanoGPT's whole | at most 1 | 0.75 | yes |" in found
    assert "char_llama: time until its loss is 1.88, of nanoGPT's whole | at most 1 | inf | **no** |" in found
    assert "| char_gpt | 2000 | 1.87 | 59.0 | 20.0 | 1,250 steps, 30 s |" in module("report").characters(
        scripts["char_gpt"]
    )
    assert "| encode_batch | 2.0 | 4.0 | 0.95 (0.80 to 1.10) | 1.00 (0.90 to 1.10) |" in module("report").tokenising(
        scripts["tokenise"]
    )
