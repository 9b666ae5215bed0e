"""A trained model in a folder, with the head that it was saved with."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer, on the device that training would take."""
    from accelerate import PartialState
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    from smolrecipes.architectures.heads import auto_class, head_of
    from smolrecipes.hub import sentences

    logging.disable_progress_bar()
    with sentences(str(folder)):
        head = head_of(AutoConfig.from_pretrained(folder))
        model, tokenizer = auto_class(head).from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return model.to(PartialState().default_device).eval(), tokenizer
