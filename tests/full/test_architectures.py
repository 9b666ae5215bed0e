"""Every architecture with every head it has: `python -m pytest tests/full/test_architectures.py`, half a minute.

Plain `pytest` leaves this folder out (norecursedirs in pyproject.toml).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import tiny

SOURCE = Path(__file__).parents[1] / "architectures" / "test_matrix.py"
SPEC = importlib.util.spec_from_file_location("matrix", SOURCE)
assert SPEC and SPEC.loader
matrix: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(matrix)

PAIRS = [(model, head) for model in tiny.ALL for head in tiny.heads(model)]


@pytest.mark.parametrize(("model", "head"), PAIRS, ids=str)
def test_a_head_learns_and_reloads(model: Any, head: str, tmp_path: Path) -> None:
    matrix.check_works(model, head, tmp_path)


@pytest.mark.parametrize("model", tiny.ALL, ids=str)
def test_checkpointing_changes_nothing(model: Any) -> None:
    matrix.check_checkpointing(model)


@pytest.mark.parametrize("model", tiny.ALL, ids=str)
def test_a_lora_learns(model: Any) -> None:
    matrix.check_lora(model)


@pytest.mark.parametrize("model", tiny.ALL, ids=str)
def test_what_it_lacks_is_declared(model: Any) -> None:
    matrix.check_declared(model)
