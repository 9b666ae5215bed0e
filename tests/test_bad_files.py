"""A slice of the bad files and overrides of tests/full: exit 2, one sentence, nothing trained."""

from __future__ import annotations

from pathlib import Path

from badinput import bad_files, bad_overrides, is_refused, refused, untouched
from hypothesis import HealthCheck, given, settings

SLICE = settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))


@SLICE
@given(bad_files())
def test_a_bad_file_is_one_sentence(tmp_path: Path, case: tuple[str, str, bytes]) -> None:
    is_refused(tmp_path, case)


@SLICE
@given(bad_overrides())
def test_a_bad_override_is_one_sentence(tmp_path: Path, words: list[str]) -> None:
    refused(["run", *words, "--runs", str(tmp_path / "runs")])
    assert untouched(tmp_path)
