"""Every architecture with every objective that fits it, whole, with a LoRA and with checkpointing: trained, saved, reloaded.

`python -m pytest tests/full/test_objectives.py -n 2`; the suite has a thin slice (tests/test_pairs.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pairs import PAIRS, Pair, check_trains_and_reloads


@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("how", ["full", "lora", "checkpointing"])
def test_trains_and_reloads(pair: Pair, how: str, tmp_path: Path) -> None:
    check_trains_and_reloads(pair, how, tmp_path)
