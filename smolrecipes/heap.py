"""The C library's heap: while a CPU trains, what a step frees stays with the process for the next."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Of mallopt(3)."""
DECIDED = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_")
"""Variables by which a user decides it; GLIBC_TUNABLES has others."""
_kept = False
"""Whether some training here keeps it already."""


@contextmanager
def keep_freed(device: torch.device) -> Iterator[None]:
    """Until it ends, glibc gives no freed memory of the main thread back to the system; of a CPU alone.

    By itself it does so with every large tensor, and the next step waits for the system to hand out and zero the same
    pages again: a twentieth of the time of a small model's step. Afterwards what is free goes back, and thresholds are
    those at which glibc's own stop growing. Other C libraries, and what the environment decides, stay as they are.
    """
    global _kept
    if device.type != "cpu" or _kept or not _is_ours():
        yield
        return
    import ctypes

    library = ctypes.CDLL(None)
    _kept = True
    library.mallopt(MMAP_MAX, 0)
    library.mallopt(TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        _kept = False
        library.mallopt(MMAP_MAX, 65_536)
        library.mallopt(MMAP_THRESHOLD, 32 << 20)
        library.mallopt(TRIM_THRESHOLD, 64 << 20)
        give_back()


def give_back() -> None:
    """Gives the system what is free in glibc's heap."""
    if _is_glibc():
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)


def _is_ours() -> bool:
    """Whether there is glibc's heap, and nobody has decided about it."""
    tuned = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(name in os.environ for name in DECIDED)
    return _is_glibc() and not tuned


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
