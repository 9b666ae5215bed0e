"""FixText: what ftfy does, and nothing else, however much of it is passed over."""

from __future__ import annotations

import ftfy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smolrecipes import FixText
from smolrecipes.transforms import fix_text

MOJIBAKE = st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace").decode("latin-1"))
PIECES = st.one_of(
    st.text(st.characters(max_codepoint=0x7F), max_size=12),
    st.text(st.characters(codec="utf-8"), max_size=12),
    MOJIBAKE,
    st.sampled_from(
        ["&amp;", "&lt;b", "<", "\n", "\r\n", "\r", "\x1b[31m", "\x0c", "\x85", "\u2028", "ﬁ", "“q”", "e\u0301"]
    ),
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def fixed(text: str, **options: object) -> str:
    outcome = FixText(**options).treat({"text": text, "origin": "a:1"})
    assert outcome.row is not None
    return str(outcome.row["text"])


@given(TEXTS, st.sampled_from(["NFC", "NFKC", "none"]), st.booleans())
@example("a <b>\nx &amp; y\nÃ©", "NFC", False)
@example("x &amp; y\na <b>\nx &amp; y", "NFC", False)
def test_it_is_what_ftfy_does(text: str, unicode: str, quotes: bool) -> None:
    form = None if unicode == "none" else unicode
    assert fixed(text, unicode=unicode, quotes=quotes) == ftfy.fix_text(
        text, uncurl_quotes=quotes, normalization=form, explain=False
    )


@given(st.text(st.characters(max_codepoint=0x7F)))
def test_what_is_passed_over_is_what_ftfy_would_leave(text: str) -> None:
    if fix_text._plain(text):
        assert ftfy.fix_text(text) == text


def test_every_ascii_character_that_ftfy_changes_is_looked_at() -> None:
    for code in range(128):
        text = f"a{chr(code)}b"
        assert ftfy.fix_text(text) == text or not fix_text._plain(text), code


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ({}, "cafÃ© &amp; ﬁn", "café & fin"),
        ({}, "“so”", "“so”"),
        ({"quotes": True}, "“so”", '"so"'),
        ({"unicode": "NFKC"}, "x²", "x2"),
        ({}, "x²", "x²"),
    ],
)
def test_what_is_mended(options: dict[str, object], before: str, after: str) -> None:
    assert fixed(before, **options) == after
