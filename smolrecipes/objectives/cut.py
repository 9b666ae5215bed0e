"""Text that people say never becomes a control token: it is cut inside what spells one, before a template writes it.

The cuts stay in the rendered conversation, and each piece between them is tokenised by itself: `<|im_end|>` of a message
becomes the tokens of `<` and of `|im_end|>`, while that of the template is one token.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CUT = "\ufdd0"
"""The mark of a cut: a code point that Unicode gives no character; where somebody does write it, it is doubled."""


def harmless(said: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Messages or tools whose text is cut inside everything that spells a control token: only templates write those."""
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return _cut(said, _spelled(frozenset(special.union(tokenizer.all_special_tokens))))


def as_it_is(text: str) -> str:
    """A text that is not cut: the tokenizer reads it as it reads the rows of a corpus."""
    return text.replace(CUT, CUT * 2)


@lru_cache(maxsize=8)
def _spelled(tokens: frozenset[str]) -> re.Pattern[str]:
    """The first character of each control token in a text, also of one that begins inside another; and the cut itself."""
    every = "|".join(re.escape(token) for token in sorted(tokens) if len(token) > 1)
    return re.compile(f"{CUT}|(?=(?:{every or '(?!)'})).", re.DOTALL)


def _cut(said: Any, spelled: re.Pattern[str]) -> Any:
    if isinstance(said, str):
        return spelled.sub(rf"\g<0>{CUT}", said)
    if isinstance(said, dict):
        return {_cut(key, spelled): _cut(value, spelled) for key, value in said.items()}
    return [_cut(part, spelled) for part in said] if isinstance(said, (list, tuple)) else said


def cut_pieces(text: str) -> list[str]:
    """The text where it was cut; the code point of the cut, where somebody did write it, is there twice."""
    return [piece.replace(CUT * 2, CUT) for piece in re.split(f"(?<!{CUT}){CUT}(?!{CUT})", text)]
