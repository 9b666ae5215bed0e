"""Text that people say never becomes a control token: it is cut inside what spells one, before a template writes it.

The cuts stay in the rendered conversation, and each piece between them is tokenised by itself: `<|im_end|>` of a message
becomes the tokens of `<` and of `|im_end|>`, while that of the template is one token.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from smolrecipes.conversation.render import render
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CUT = "\ufdd0"
"""The mark of a cut: a code point that Unicode gives no character; where somebody does write it, it is doubled."""
CHAT = [{"role": role, "content": "?"} for role in ("system", "user", "assistant", "user", "assistant")]
"""A conversation that shows what a template writes around turns."""
_known: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[Any, frozenset[str]]] = WeakKeyDictionary()
"""The control tokens of each tokenizer, and what they were found with."""


def harmless(said: Any, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Messages whose text is cut inside everything that spells a control token: only templates write those."""
    return _cut(said, _spelled(control_tokens(tokenizer)))


def harmless_tools(tools: list[Any] | None, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Tools, cut in the same way: equal ones once, since most rows have the same."""
    return tools and _cut_json(json.dumps(tools), _spelled(control_tokens(tokenizer)))


def spelling(messages: list[Any], tokenizer: PreTrainedTokenizerBase) -> int:
    """How many messages spell control tokens."""
    spelled = _spelled(control_tokens(tokenizer))
    return sum(_cut(message, spelled) != message for message in messages)


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> frozenset[str]:
    """The special tokens, and the added ones that the chat template writes around turns, special or not."""
    state = (tokenizer.chat_template, len(tokenizer), tokenizer.eos_token)
    if tokenizer not in _known or _known[tokenizer][0] != state:
        _known[tokenizer] = state, _control_tokens(tokenizer)
    return _known[tokenizer][1]


def as_it_is(text: str) -> str:
    """A text that is not cut: the tokenizer reads it as it reads the rows of a corpus."""
    return text.replace(CUT, CUT * 2)


def _control_tokens(tokenizer: PreTrainedTokenizerBase) -> frozenset[str]:
    added = {str(token): token.special for token in tokenizer.added_tokens_decoder.values()}
    special = {token for token, is_special in added.items() if is_special}
    written = _written(tokenizer) if tokenizer.chat_template else ""
    around = {token for token in added if token in written and re.search(r"[^\w\s]", token)}  # no word, no line end
    thoughts = {token for token in around if "think" in token.lower()}  # which the assistant writes itself
    return frozenset(special.union(tokenizer.all_special_tokens, around - thoughts))


def _written(tokenizer: PreTrainedTokenizerBase) -> str:
    """A conversation as the template writes it."""
    try:
        return render(CHAT, tokenizer, None)
    except RecipeError:  # some have no system message
        return render(CHAT[1:], tokenizer, None)


@lru_cache(maxsize=8)
def _spelled(tokens: frozenset[str]) -> re.Pattern[str]:
    """The first character of each control token in a text, also of one that begins inside another; and the cut itself."""
    every = [f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in sorted(tokens) if len(token) > 1]
    letters = [f"(?P<letter>[{re.escape(''.join(alone))}])"] if (alone := {t for t in tokens if len(t) == 1}) else []
    return re.compile("|".join([CUT, *letters, *every]))


def _cut(said: Any, spelled: re.Pattern[str]) -> Any:
    if isinstance(said, str):
        return spelled.sub(_marked, said)
    if isinstance(said, dict):
        return {_cut(key, spelled): _cut(value, spelled) for key, value in said.items()}
    return [_cut(part, spelled) for part in said] if isinstance(said, (list, tuple)) else said


@lru_cache(maxsize=8)
def _cut_json(text: str, spelled: re.Pattern[str]) -> Any:
    return _cut(json.loads(text), spelled)


def _marked(found: re.Match[str]) -> str:
    if found.lastgroup:
        raise RecipeError(
            f"a message spells {found[0]!r}, a control token of one character, which cannot be cut to be read as text; "
            "leave it out of the message, or give the tokenizer a longer control token"
        )
    return found[0] + CUT


def cut_pieces(text: str) -> list[str]:
    """The text where it was cut; the code point of the cut, where somebody did write it, is there twice."""
    return [piece.replace(CUT * 2, CUT) for piece in re.split(f"(?<!{CUT}){CUT}(?!{CUT})", text)]
