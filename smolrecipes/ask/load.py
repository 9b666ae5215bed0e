"""A trained model, with the head that it was saved with; whether it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smolrecipes import hub
from smolrecipes.errors import RecipeError


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


def check_writes(folder: Path, so: str) -> None:
    """RecipeError for a model that writes no text, or takes more than a text to write one.

    so: what is not done with it, and what to do instead: `it is not served; 'smolrecipes try' asks it`.
    """
    from transformers import AutoConfig, AutoTokenizer

    from smolrecipes.architectures.heads import head_of
    from smolrecipes.hub import sentences

    with sentences(str(folder)):
        head, tokenizer = head_of(AutoConfig.from_pretrained(folder)), AutoTokenizer.from_pretrained(folder)
    check_head(folder, head, tokenizer, so)


def check_head(folder: Path, head: str, tokenizer: Any, so: str) -> None:
    """The same of a head and a tokenizer."""
    from smolrecipes.ask.ask import WRITERS
    from smolrecipes.generate import languages

    if head not in WRITERS:
        raise RecipeError(f"{folder}: this model ({head}) writes no text, so {so}")
    if head == "seq2seq" and languages(tokenizer):
        raise RecipeError(f"{folder}: this model is told languages, so {so}")
