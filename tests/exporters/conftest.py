"""Runs to export: random weights do, since what exporters compare is the same for any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished import SIZES, made_in

from smolrecipes import ByteBPE, Llama, Run

Made = Callable[..., Run]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """`made(model, template=..., tokenizer=..., objective=..., head=...)`."""

    def make(model: Any = None, template: str = "chatml", **given: Any) -> Run:
        tokenizer = given.pop("tokenizer", None) or ByteBPE(vocab_size=600, chat_template=template)
        return made_in(tmp_path, model or Llama(**SIZES, kv_heads=2), tokenizer, **given)

    return make
