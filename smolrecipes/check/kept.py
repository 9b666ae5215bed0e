"""What a scan of the rows found, kept under their content: the same rows are not scanned a second time."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.check.finding import Finding
from smolrecipes.check.rows import UNSEEN, rows
from smolrecipes.console import say
from smolrecipes.files import refused, write_text

if TYPE_CHECKING:
    from smolrecipes.check.subject import Subject


def scanned(subject: Subject, cache: Path | None) -> list[Finding]:
    """The findings of `rows`; from the folder `cache`, where there is one and they lie there."""
    if cache is None or not cache.is_dir():
        return list(rows(subject))
    file = cache / f"check-{_key(subject)}.json"
    if file.is_file():
        return [Finding(**found) for found in json.loads(file.read_text(encoding="utf-8"))]
    found = list(rows(subject))
    if any(one.code == UNSEEN for one in found):  # another time more may be seen
        return found
    if why := refused(lambda: write_text(file, json.dumps([asdict(each) for each in found], indent=1))):
        say(f"  what the rows showed is not kept ({why})")
    return found


def _key(subject: Subject) -> str:
    """The hash of the rows, of what the objective has to do with them, and of the code that looks at them."""
    import hashlib

    from smolrecipes.cache import content

    code = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    held_out = content(subject.held_out) if subject.held_out is not None else ""
    parts = [content(subject.rows), held_out, subject.objective.head, *subject.objective.classes]
    return hashlib.sha256("\0".join(parts).encode() + code).hexdigest()[:16]
