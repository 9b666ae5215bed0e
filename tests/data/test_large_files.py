"""Files are read in memory that does not grow with them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MB = 1_000_000
LINE = "The quick brown fox jumps over the lazy dog. " * 44 + "\n"
MEASURE = """
import resource, sys
from smolrecipes import Files
from smolrecipes.errors import RecipeError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

small, large, rows, ends = sys.argv[1:]
list(Files(small, rows=rows).stream([]))
before, count = peak(), 0
try:
    for row in Files(large, rows=rows).stream([]):
        count += 1
except RecipeError as error:
    assert ends and ends in str(error), error
print(count, peak() - before)
"""


def measured(
    tmp_path, name: str, head: str, line: str, count: int, rows: str = "passages", ends: str = ""
) -> tuple[int, float]:
    """How many rows a file of so many lines has, and how many MB reading it took beside a small one."""
    small, large = tmp_path / f"small.{name}", tmp_path / f"large.{name}"
    small.write_text("a b\n" if name == "txt" else head if ends else head + line, encoding="utf-8")
    with large.open("w", encoding="utf-8") as out:
        out.write(head)
        for _ in range(count // 100):
            out.write(line * 100)
    command = [sys.executable, "-c", MEASURE, str(small), str(large), rows, ends]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    large.unlink()
    rows_found, grown = done.stdout.split()
    return int(rows_found), float(grown)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units")
@pytest.mark.parametrize(
    ("name", "rows", "head", "line", "count"),
    [
        ("txt", "passages", "", LINE, 100_000),
        ("txt", "lines", "", LINE, 50_000),
        ("txt", "passages", "", "x" * 10_000, 5_000),  # one line
        ("jsonl", "passages", "", json.dumps({"text": LINE}) + "\n", 50_000),
        ("csv", "passages", "text\n", f'"{LINE}"\n', 20_000),
    ],
)
def test_memory_does_not_grow_with_the_file(tmp_path, name, rows, head, line, count):
    found, grown = measured(tmp_path, name, head, line, count, rows)
    assert found > 10_000
    assert grown < 30


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units")
def test_neither_does_it_with_a_line(tmp_path):
    found, grown = measured(
        tmp_path, "jsonl", '{"text": "a"}\n', "x" * 20_000, 10_000, ends="large.jsonl:2: the line has 200 MB"
    )
    assert (found, grown < 110) == (0, True)
