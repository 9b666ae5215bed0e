"""What was measured, and on what."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MEASURED = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "smolrecipes")
KERNELS = ("triton", "flash_attn", "liger_kernel", "bitsandbytes")
"""What may be there, and speeds something up."""


def machine(threads: int, device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, threads, memory, GPU, system, versions, day."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(memory, 1),
        "gpu": gpu() if device == "cuda" else "",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in (*MEASURED, *filter(find_spec, KERNELS))},
        "day": time.strftime("%Y-%m-%d"),
    }


def gpu() -> str:
    """Its name, memory, and the CUDA that torch was built for."""
    import torch

    facts = torch.cuda.get_device_properties(0)
    return f"{facts.name} ({facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda})"


def processor() -> str:
    """The processor's model, with family and model numbers where its name tells little, and its vector units."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    units = [unit for unit in ("avx2", "avx512f", "amx_tile") if unit in facts.get("flags", "").split()]
    return f"{facts.get('model name', platform.machine())} (model {facts.get('model', '?')}, {' '.join(units)})"


def sentence(found: dict[str, Any]) -> str:
    """The machine in a sentence."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    gpu = f"{found['gpu']}, " if found.get("gpu") else ""
    return (
        f"Measured on {found['day']}: {gpu}{found['processor']}, {found['cores']} cores, {found['threads']} threads, "
        f"{found['memory_gib']} GiB, {found['system']}, Python {found['python']}; {versions}."
    )
