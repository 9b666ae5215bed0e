"""Every kind of tokenizer that is made from scratch, small, on a few lines of text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from smolrecipes import ByteBPE, Bytes, Characters, Unigram, WordPiece, Words
from smolrecipes.data.rows import make

TEXTS = [
    "Anna lost a red key in the garden.",
    "Il gatto è tornato a casa, perché aveva fame.",
    "user: one two three four\nassistant: five",
] * 9
KINDS: dict[str, Any] = {
    "byte_bpe": ByteBPE,
    "bytes": Bytes,
    "characters": Characters,
    "unigram": Unigram,
    "word_piece": WordPiece,
    "words": Words,
}

Component = Callable[..., Any]
Made = Callable[..., Any]


def rows(texts: list[str] = TEXTS) -> Any:
    return make("text", ({"text": text, "origin": f"here:{i}"} for i, text in enumerate(texts)))


def component(kind: str, **options: Any) -> Any:
    size = {} if kind in ("bytes", "characters") else {"vocab_size": 420}
    return KINDS[kind](**size, **options)


@cache
def made(kind: str, specials: str = "gpt", chat_template: str = "auto") -> Any:
    """Built once for all tests: nobody changes it."""
    return component(kind, specials=specials, chat_template=chat_template).build(rows())


@pytest.fixture(params=list(KINDS), scope="session")
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind that is made from scratch, by its name."""
    return str(request.param)


@pytest.fixture(name="component", scope="session")
def _component() -> Component:
    """`component(kind, **options)`, small."""
    return component


@pytest.fixture(name="made", scope="session")
def _made() -> Made:
    """`made(kind, specials, chat_template)`, a tokenizer."""
    return made


@pytest.fixture(name="few", scope="session")
def _few() -> Any:
    """The rows that they learned from."""
    return rows()
