"""Two thousand bad data files and five hundred bad overrides: exit 2, one sentence, nothing trained."""

from __future__ import annotations

from pathlib import Path

from badinput import bad_files, bad_overrides, is_refused, refused, untouched
from hypothesis import HealthCheck, given, settings

LARGE = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=2_000, **LARGE)
@given(bad_files())
def test_a_bad_file_is_one_sentence(tmp_path: Path, case: tuple[str, str, bytes]) -> None:
    is_refused(tmp_path, case)


@settings(max_examples=500, **LARGE)
@given(bad_overrides())
def test_a_bad_override_is_one_sentence(tmp_path: Path, words: list[str]) -> None:
    refused(["run", *words, "--runs", str(tmp_path / "runs")])
    assert untouched(tmp_path)
