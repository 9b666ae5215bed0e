"""How llama.cpp calls the way in which a tokenizer cuts text into words: a wrong label converts without a word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def label(tokenizer: PreTrainedTokenizerBase) -> str:
    """llama.cpp's name for the tokenizer's pre-tokenizer; empty where its converter must find it by itself.

    RecipeError for a tokenizer that llama.cpp cannot run. What is named here is still compared, text by text, when the
    file is made.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    model, cutter = backend["model"]["type"], backend.get("pre_tokenizer") or {}
    if model != "BPE":
        raise RecipeError(f"gguf: llama.cpp runs byte-level BPE tokenizers, not this {model} one; train with ByteBPE()")
    if backend.get("normalizer"):
        return ""
    return _known(_parts(cutter))


def _parts(cutter: dict[str, Any]) -> tuple[Any, ...]:
    parts = cutter.get("pretokenizers") or [cutter]
    return tuple(_part(one) for one in parts)


def _part(one: dict[str, Any]) -> Any:
    if one.get("type") == "ByteLevel":
        return ("ByteLevel", bool(one.get("add_prefix_space")), bool(one.get("use_regex", True)))
    if one.get("type") == "Digits":
        return ("Digits", bool(one.get("individual_digits")))
    return one.get("type")


def _known(parts: tuple[Any, ...]) -> str:
    if parts == (("ByteLevel", False, True),):
        return "gpt-2"
    if parts == (("Digits", True), ("ByteLevel", False, True)):
        return "smollm"
    return ""
