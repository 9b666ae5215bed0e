"""What is measured on a GPU runs on a CPU at a toy size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SUITE = Path(__file__).parents[1] / "benchmarks" / "run.py"


def test_what_is_for_a_gpu_runs_on_a_cpu(tmp_path: Path, python: Any) -> None:
    """Competitors that share a process, ours with an option changed, and the comparison of kernels."""
    out = tmp_path / "results.json"
    words = [
        "correct",
        "options",
        "--quick",
        "--together",
        "--only=default,muon,tf32,qlora",
        "--threads=1",
        f"--out={out}",
    ]
    done = python(str(SUITE), *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    (run,) = found["options"]["runs"]
    assert len(run["option:muon"]["steps"]) == found["options"]["case"]["steps"]
    assert 0 < run["option:default"]["shares"]["mfu"] < 1 and run["option:default"]["shares"]["time_forward"] > 0
    assert len(run["option:qlora"]["steps"]) == found["options"]["case"]["steps"]
    assert "tf32 needs a cuda device" in run["option:tf32"]["failed"]
    assert len(found["correct"]) == 4 and all(line["right"] for line in found["correct"])
    assert "| muon |" in done.stdout and "| qlora |" in done.stdout and "| mistral | bfloat16 | sdpa |" in done.stdout
