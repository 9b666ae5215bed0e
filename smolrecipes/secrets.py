"""Tokens and passwords, which no file of a run may hold."""

from __future__ import annotations

import re

TOKENS = re.compile(
    r"hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_.-]+"
)
"""As Hugging Face, OpenAI and its like, GitHub, AWS and signed tokens look."""
WORDS = "token|password|passwd|secret|api_key|apikey|access_key|signature|credential"
"""What the names of secrets have in them; those of presigned URLs among them, as `X-Amz-Signature` or `sig`."""
QUOTE = "[\"']|&#x27;|&#39;|&quot;"
NAMED = re.compile(
    rf"(?i)\b([\w.]*(?:{WORDS})[\w.]*|sig)=(?:(?P<quote>{QUOTE})(?:(?!(?P=quote)).)*(?P=quote)|(?:[^\s&\"'`<]|[\"'](?=\w))+)"
)
"""An option or part of a URL that is called so, and its value, also where it stands in a page of HTML."""
IN_URL = re.compile(r"(\w+://)[^\s/@]+:[^\s/@]+@")
KEPT = ("tokens", "tokenizer", "token_classification", "max_new_tokens", "global_batch_tokens")
"""Options of recipes that sound like it."""


def hidden(text: str) -> str:
    """The text with every token and password blacked out."""

    def named(found: re.Match[str]) -> str:
        plain = any(part in KEPT for part in found[1].lower().split("."))
        return found[0] if plain else f"{found[1]}=***"

    return NAMED.sub(named, IN_URL.sub(r"\1***@", TOKENS.sub("***", text)))
