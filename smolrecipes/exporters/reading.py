"""Whether texts are read as the same tokens, and conversations written the same by the template."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from smolrecipes.exporters.samples import CONVERSATIONS, TEXTS

Conversation = tuple[list[Any], Any]


class Reads(Protocol):
    """What reads and renders: a tokenizer, or llama.cpp with a file."""

    def ids(self, text: str, special: bool = False) -> list[int]:
        """The tokens of a text, those that it adds by itself included; or with its control tokens read as such, and none added."""

    def rendered(self, messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        """A conversation by its template, ready for the assistant's answer."""


class Words:
    """A tokenizer that is asked as llama.cpp is."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def ids(self, text: str, special: bool = False) -> list[int]:
        how = {"add_special_tokens": False, "split_special_tokens": False} if special else {}
        return list(self.tokenizer(text, **how)["input_ids"])

    def rendered(self, messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        from smolrecipes.conversation.render import render

        return render(messages, self.tokenizer, tools, prompt=True)


class Same(NamedTuple):
    """How many of some things are the same, and the first that is not."""

    same: int
    of: int
    first: str


def same_ids(own: Words, other: Reads) -> Same:
    """Of texts, and of conversations with their control tokens."""
    pairs = [(text, own.ids(text), other.ids(text)) for text in TEXTS]
    told = [own.rendered(*each) for each in writable(own)]
    pairs += [(text, own.ids(text, special=True), other.ids(text, special=True)) for text in told]
    wrong = [f"{text[:60]!r}: {theirs[:8]}…, not {mine[:8]}…" for text, mine, theirs in pairs if mine != theirs]
    return Same(len(pairs) - len(wrong), len(pairs), wrong[0] if wrong else "")


def same_renderings(own: Words, other: Reads) -> Same:
    """Of the conversations that the template takes."""
    pairs = [(own.rendered(*each), other.rendered(*each)) for each in writable(own)]
    wrong = [f"{theirs[:200]!r}, not {mine[:200]!r}" for mine, theirs in pairs if mine != theirs]
    return Same(len(pairs) - len(wrong), len(pairs), wrong[0] if wrong else "")


def writable(own: Words) -> list[Conversation]:
    """The conversations that the template takes."""
    return [each for each in CONVERSATIONS if _takes(own, each)] if own.tokenizer.chat_template else []


def _takes(own: Words, conversation: Conversation) -> bool:
    from smolrecipes.errors import RecipeError

    try:
        own.rendered(*conversation)
    except RecipeError:  # gemma's takes no tools
        return False
    return True
