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
def tokenizer() -> Any:
    return Words(size=50, **{f"{name}_token_id": value for name, value in IDS.items()})
