"""The C library's heap: while a CPU trains, what a step frees stays with the process for the next."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Of mallopt(3)."""


@contextmanager
def kept() -> Iterator[None]:
    """Until it ends, glibc gives no freed memory back to the system.

    By itself it does so with every large tensor, and the next step waits for the system to hand out and zero the same
    pages again: a twentieth of the time of a small model's step. Afterwards what is free goes back, and thresholds are
    those at which glibc's own stop growing. Other C libraries, and what MALLOC_ variables say, stay as they are.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        yield
        return
    import ctypes

    library = ctypes.CDLL(None)
    library.mallopt(MMAP_MAX, 0)
    library.mallopt(TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        library.mallopt(MMAP_MAX, 65_536)
        library.mallopt(MMAP_THRESHOLD, 32 << 20)
        library.mallopt(TRIM_THRESHOLD, 64 << 20)
        library.malloc_trim(0)
