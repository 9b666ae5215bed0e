"""Kill -9 at 55 instants, 30 of them in saves: each run goes on to the weights of the one that nobody disturbed."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from powercut import child, dying, trained, weights

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="these tests fork")
WRITES = 88
"""About how often an undisturbed run flushes, renames or removes."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, float]:
    """What the undisturbed weights are, and how many seconds they took."""
    folder = tmp_path_factory.mktemp("whole")
    child(lambda: trained(folder / "warm"))
    start = time.monotonic()
    assert child(lambda: trained(folder)) == 0
    return weights(folder), time.monotonic() - start


@pytest.mark.parametrize("at", range(1, WRITES, 3))
def test_in_a_save(whole: tuple[str, float], tmp_path: Path, at: int) -> None:
    assert child(dying(tmp_path, at)) == -9
    assert child(lambda: trained(tmp_path)) == 0
    assert weights(tmp_path) == whole[0]


@pytest.mark.parametrize("seed", range(25))
def test_at_any_instant(whole: tuple[str, float], tmp_path: Path, seed: int) -> None:
    times = random.Random(seed)
    for _ in range(2):  # and once more while it goes on
        child(lambda: trained(tmp_path), seconds=times.uniform(0, whole[1]))
    assert child(lambda: trained(tmp_path)) == 0
    assert weights(tmp_path) == whole[0]
