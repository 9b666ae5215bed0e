"""As much of a tokenizer as an architecture reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

IDS = {"pad": 3, "bos": 5, "eos": 7, "cls": 6, "sep": 8, "mask": 9, "unk": 4}


class Words(SimpleNamespace):
    """Of so many entries."""

    size: int

    def __len__(self) -> int:
        return self.size


@pytest.fixture
def words() -> Any:
    """`words(300, bos=None)` has so many entries and these ids."""

    def made(size: int = 50, **changes: int | None) -> Words:
        return Words(size=size, **{f"{name}_token_id": value for name, value in {**IDS, **changes}.items()})

    return made
