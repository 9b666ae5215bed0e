"""The most that products of matrices reach on this machine."""

from __future__ import annotations

import sys
import time
from functools import lru_cache

import torch
from torch import Tensor

from smolrecipes.launch import cores


@lru_cache
def matmul_peak(device: torch.device, dtype: torch.dtype, threads: int) -> float:
    """FLOPs a second, the best of 0.15 s; matrices double in size until their product takes 5 ms."""
    size, best = 256, 0.0
    until = time.perf_counter() + 0.15
    left = _random(size, device, dtype)
    while True:
        took = _product(left, threads)
        best = max(best, 2 * size**3 / took)
        if took < 5e-3 and size < 8192:
            size *= 2
            left = _random(size, device, dtype)
        elif time.perf_counter() > until:
            return best


def _random(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Numbers drawn apart from those of the run, which must not depend on what is measured."""
    return torch.randn(size, size, device=device, dtype=dtype, generator=torch.Generator(device).manual_seed(0))


def _product(left: Tensor, threads: int) -> float:
    """Seconds of a product; on a CPU those that its threads were given, whatever other processes did meanwhile."""
    answer = left @ left  # what is done first for a size is not timed
    if left.device.type == "cpu" and sys.platform != "win32":  # whose clock of a process ticks 64 times a second
        start = time.process_time()
        torch.mm(left, left, out=answer)
        return (time.process_time() - start) / min(threads, cores())
    torch.accelerator.synchronize(left.device)
    start = time.perf_counter()
    for _ in range(10):
        torch.mm(left, left, out=answer)
    torch.accelerator.synchronize(left.device)
    return (time.perf_counter() - start) / 10
