"""The heap that training keeps: no page is asked for twice, and what is free goes back at the end."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")

STEPS = """
import resource
from pathlib import Path
import torch
from smolrecipes.heap import kept

def faults(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        some = [torch.ones(10, 1 << 20), torch.ones(20, 1 << 20)]
        del some
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) >> 8

faults(10)
with kept():
    faults(10)
    within, full = faults(10), resident()
print(within, full, resident(), faults(10))
"""


def told(**environment: str) -> list[int]:
    clean = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([sys.executable, "-c", STEPS], env=clean, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_freed_memory_stays_while_training_and_goes_back_afterwards() -> None:
    """120 MiB a step are 30,720 pages of 4 KiB."""
    within, full, left, after = told()
    assert within < 3_000 < 20_000 < after
    assert full - left > 80


def test_what_the_environment_says_of_malloc_stays() -> None:
    assert told(MALLOC_PERTURB_="0")[0] > 20_000
