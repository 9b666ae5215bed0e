"""A trained model, with the head that it was saved with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smolrecipes import hub


def load(place: Path | str, revision: str | None = None) -> tuple[Any, Any]:
    """Model and tokenizer of a folder or a hub id, on the device that training would take."""
    from accelerate import PartialState
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    from smolrecipes.architectures.heads import auto_class, head_of

    logging.disable_progress_bar()
    local = hub.folder(str(place), ("config.json",))
    where = {"revision": None if local else hub.commit(str(place), revision, ("config.json",))}
    with hub.sentences(str(place), revision):
        head = head_of(AutoConfig.from_pretrained(place, **where))
        model, tokenizer = (
            auto_class(head).from_pretrained(place, **where),
            AutoTokenizer.from_pretrained(place, **where),
        )
    return model.to(PartialState().default_device).eval(), tokenizer
