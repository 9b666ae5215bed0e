"""The heap that training keeps: no page is asked for twice, and what is free goes back at the end."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from test_trainer import made

from smolrecipes import CLM, steady

HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or (HUGE.exists() and "[always]" in HUGE.read_text()),
    reason="other C libraries are left as they are, and huge pages are hardly ever asked for",
)

STEPS = """
import resource
from pathlib import Path
import torch
from smolrecipes.heap import keep_freed

def asked(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        some = [torch.ones(10, 1 << 20), torch.ones(20, 1 << 20)]
        del some
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() >> 20

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20

asked(10)
with keep_freed(torch.device("cpu")):
    asked(10)
    with keep_freed(torch.device("cpu")):
        pass
    within, full = asked(10), resident()
print(within, full, resident(), asked(10))
"""


def told(**environment: str) -> list[int]:
    """MiB asked for within 10 steps of 120 MiB each; MiB held then and afterwards; MiB asked for in 10 steps afterwards."""
    clean = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([sys.executable, "-c", STEPS], env=clean, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@glibc
def test_freed_memory_stays_until_the_end_and_then_goes_back() -> None:
    """Also after another training within has ended."""
    within, full, left, after = told()
    assert within < 12 < 80 < after
    assert full - left > 80


@glibc
@pytest.mark.parametrize("said", [("MALLOC_MMAP_MAX_", "65536"), ("GLIBC_TUNABLES", "glibc.malloc.mmap_max=65536")])
def test_what_the_environment_decides_stays(said: tuple[str, str]) -> None:
    assert told(**dict([said]))[0] > 80


@pytest.mark.parametrize("breaks", [False, True])
def test_training_keeps_it_to_its_end(breaks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @contextmanager
    def watched(device: torch.device) -> Iterator[None]:
        seen.append(f"begins on {device.type}")
        try:
            yield
        finally:
            seen.append("ends")

    monkeypatch.setattr(steady, "keep_freed", watched)
    trainer = made(CLM(), tmp_path, 1)
    if breaks:
        trainer.compute_loss = lambda *args, **kwargs: 1 / 0
        with pytest.raises(ZeroDivisionError):
            trainer.train()
    else:
        trainer.train()
    assert seen == ["begins on cpu", "ends"]
