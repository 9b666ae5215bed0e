"""How long the light commands take: `python tests/benchmarks/startup.py`. Medians of whole processes, and of bare Python."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "smolrecipes --help": ["-m", "smolrecipes", "--help"],
    "smolrecipes list": ["-m", "smolrecipes", "list"],
    "smolrecipes show orpo_lora": ["-m", "smolrecipes", "show", "orpo_lora"],
}


def main() -> None:
    """Prints a line per command."""
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for name, command in COMMANDS.items():
        times = []
        for _ in range(8):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env=compiled)
            times.append(time.perf_counter() - start)
        print(f"{name:28} {statistics.median(times[1:]):.3f} s  ({min(times[1:]):.3f} to {max(times[1:]):.3f})")


if __name__ == "__main__":
    main()
