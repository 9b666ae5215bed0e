"""What a tokenizer makes of text, in numbers: how short it is, what is unknown, what does not come back."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EXCERPT = 300
"""Characters of a text that are compared with what comes back."""
EXCERPTS = 100
"""Texts that are compared, evenly spread."""


@dataclass(frozen=True)
class Figures:
    """Counts of some texts, and the usual ratios."""

    words: int
    characters: int
    bytes: int
    tokens: int
    unknown: int
    changed: float
    """The share of the characters of a sample that do not come back, or come back with others among them."""
    reasons: tuple[str, ...]
    """What changes: case, accents, spaces, unknown characters, other characters."""

    @property
    def fertility(self) -> float:
        """Tokens per word (what stands between white space)."""
        return self.tokens / max(1, self.words)

    @property
    def bytes_per_token(self) -> float:
        """Bytes of UTF-8 per token: the higher, the shorter the text becomes."""
        return self.bytes / max(1, self.tokens)

    @property
    def unknown_rate(self) -> float:
        """The share of the tokens that are the unknown token."""
        return self.unknown / max(1, self.tokens)


@dataclass(frozen=True)
class Report:
    """A tokenizer on groups of texts: languages, or files."""

    vocabulary: int
    used: int
    """Different tokens that the texts became."""
    longest: tuple[str, ...]
    """The longest tokens of the vocabulary, as text."""
    groups: dict[str, Figures]
    split: dict[str, list[str]]
    """The beginning of each group's first text, cut where its tokens are."""


def report(tokenizer: PreTrainedTokenizerBase, groups: Mapping[str, Sequence[str]]) -> Report:
    """The figures of each group of texts, by its name."""
    used: set[int] = set()
    figures = {}
    for name, texts in groups.items():
        ids = _ids(tokenizer, texts)
        used.update(*ids)
        figures[name] = _figures(tokenizer, texts, ids)
    beginnings = {name: pieces(tokenizer, texts[0][:80]) for name, texts in groups.items() if texts}
    return Report(len(tokenizer), len(used), longest(tokenizer), figures, beginnings)


def longest(tokenizer: PreTrainedTokenizerBase, count: int = 5) -> tuple[str, ...]:
    """The longest tokens that are no control tokens, as text."""
    special = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    known = [token for token in tokenizer.get_vocab() if token not in special]
    found = sorted(known, key=lambda token: (-len(token), token))[:count]
    return tuple(tokenizer.convert_tokens_to_string([token]) for token in found)


def pieces(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """The text cut where its tokens are; of several tokens that share a character, the first has it.

    A tokenizer without a Rust side does not say where they are: the tokens as it writes them.
    """
    if not tokenizer.is_fast:
        return list(tokenizer.convert_ids_to_tokens(_ids(tokenizer, [text])[0]))
    found = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    cut, done = [], 0
    for start, end in found["offset_mapping"]:
        cut.append(text[max(start, done) : end])
        done = max(done, end)
    return cut


def lost(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> str:
    """One sentence about what does not come back of a sample; nothing where everything does."""
    changed, reasons = _changed(tokenizer, texts)
    if not changed:
        return ""
    share = f"{changed:.1%}".replace("%", " %") if changed >= 0.0005 else "less than 0.1 %"
    return f"tokenizer: {share} of the characters of a sample do not come back ({', '.join(reasons)})"


def _ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Of the texts alone: nothing is added, and nothing that they spell is a control token."""
    if not texts:
        return []
    found = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False)
    return list(found["input_ids"])


def _figures(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], ids: list[list[int]]) -> Figures:
    changed, reasons = _changed(tokenizer, texts)
    return Figures(
        words=sum(len(text.split()) for text in texts),
        characters=sum(map(len, texts)),
        bytes=sum(len(text.encode("utf-8", "replace")) for text in texts),
        tokens=sum(map(len, ids)),
        unknown=sum(each.count(tokenizer.unk_token_id) for each in ids),
        changed=changed,
        reasons=reasons,
    )


def _changed(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[float, tuple[str, ...]]:
    """The share of a sample's characters that change on the way back, and in which ways."""
    step = max(1, len(texts) // EXCERPTS)
    sample = [text[:EXCERPT] for text in texts[::step][:EXCERPTS]]
    ids = _ids(tokenizer, sample)
    count, found = 0, set()
    for text, each in zip(sample, ids, strict=True):
        back = tokenizer.decode(each, skip_special_tokens=True)
        if back == text:
            continue
        unknown = tokenizer.unk_token_id in each
        for kind, a, b, c, d in difflib.SequenceMatcher(None, text, back, autojunk=False).get_opcodes():
            if kind != "equal":
                count += max(b - a, d - c)
                found.add(_reason(text[a:b], back[c:d], unknown))
    return min(1.0, count / max(1, sum(map(len, sample)))), tuple(sorted(found))


def _reason(before: str, after: str, unknown: bool) -> str:
    """Why some characters came back as others."""
    if not f"{before}{after}".strip():
        return "spaces"
    if before.casefold() == after.casefold():
        return "case"
    if _bare(before) == _bare(after):
        return "accents"
    return "unknown characters" if unknown else "other characters"


def _bare(text: str) -> str:
    return "".join(x for x in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(x))
