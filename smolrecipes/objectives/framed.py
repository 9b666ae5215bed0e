"""One text or two as a model reads them: cut to length, with the control tokens of its tokenizer's template."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Ids = list[int]


class Frame(NamedTuple):
    """The control tokens before, between and after the texts, and the token types, those of the texts among them."""

    control: tuple[Ids, ...]
    types: tuple[Ids, ...] | None
    """Of each run of control tokens and, one number, of the text after it; None where the tokenizer gives no types."""

    @property
    def size(self) -> int:
        """Control tokens in all."""
        return sum(map(len, self.control))

    def around(self, texts: Sequence[Ids]) -> dict[str, Any]:
        """The texts within: `input_ids`, `token_type_ids` where there are types, and where each text begins."""
        ids, types, starts = [*self.control[0]], Ids(), Ids()
        for text, control in zip(texts, self.control[1:], strict=True):
            starts.append(len(ids))
            ids += [*text, *control]
        if self.types is None:
            return {"input_ids": ids, "starts": starts}
        for text, kinds in zip((*texts, []), self.types):
            types += [*kinds[:-1], *kinds[-1:] * len(text)] if len(kinds) else []
        return {"input_ids": ids, "token_type_ids": types, "starts": starts}


@lru_cache(maxsize=16)
def frame(tokenizer: PreTrainedTokenizerBase, texts: int) -> Frame:
    """How it frames one text or two. Where nothing follows a text, as decoders have it, its end is said by eos."""
    pieces = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a", "b")[:texts]]
    whole = tokenizer(*("a", "b")[:texts])
    ids, types = whole["input_ids"], whole.get("token_type_ids")
    control, kinds, at = list[Ids](), list[Ids](), 0
    for piece in pieces:
        start = next(i for i in range(at, len(ids)) if ids[i : i + len(piece)] == piece)
        control.append(ids[at:start])
        kinds.append(types[at : start + 1] if types else [])
        at = start + len(piece)
    control.append(ids[at:])
    kinds.append([*types[at:], 0] if types else [])
    if control[-1]:
        return Frame(tuple(control), tuple(kinds) if types else None)
    if tokenizer.eos_token_id is None:
        raise RecipeError("tokenizer: it has no eos token, by which a model knows where a text ends; take another")
    end = [tokenizer.eos_token_id]
    return Frame((control[0], *[end] * texts), None)


def encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[Ids]:
    """The ids of each text by itself; what it spells is never a control token."""
    found = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True, verbose=False)
    ids: list[Ids] = found["input_ids"]
    return ids


def read(rows: Sequence[Sequence[str]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[dict[str, Any]]:
    """Each row's texts in their frame, and how many tokens were `cut`, one by one from the longest text."""
    ids = iter(encode([text for row in rows for text in row], tokenizer))
    found = []
    for row in rows:
        around, texts = frame(tokenizer, len(row)), [next(ids) for _ in row]
        kept = shortened(texts, max_length - around.size)
        made = around.around(kept)
        made["cut"] = sum(map(len, texts)) - sum(map(len, kept))
        found.append(made)
    return found


def shortened(texts: list[Ids], room: int) -> list[Ids]:
    """The texts with at most `room` tokens together, cut at the end, the longest first."""
    over = sum(map(len, texts)) - max(0, room)
    if over <= 0:
        return texts
    if len(texts) == 1:
        return [texts[0][: max(0, room)]]
    first, second = map(len, texts)
    gap = min(over, abs(first - second))
    rest = over - gap
    less = [rest - rest // 2, rest // 2]  # of two that are alike, the first is cut first
    less[int(second > first)] += gap
    return [text[: len(text) - n] for text, n in zip(texts, less)]


def with_offsets(text: str, tokenizer: PreTrainedTokenizerBase) -> tuple[Ids, Any, Any]:
    """A text's ids, and where in it each token starts and ends, (tokens,) each."""
    import numpy as np

    if not getattr(tokenizer, "is_fast", False):
        raise RecipeError(
            f"tokenizer: {type(tokenizer).__name__} does not tell where its tokens lie in a text; take another"
        )
    found = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False
    )
    places = np.array(found["offset_mapping"], dtype=np.int64).reshape(-1, 2)
    return list(found["input_ids"]), places[:, 0], places[:, 1]


def between(size: int, starts: Sequence[int], ends: Sequence[int]) -> Tensor:
    """(rows, size): 1 from each row's start to before its end."""
    import torch

    places = torch.arange(size)
    return ((places >= torch.tensor(starts)[:, None]) & (places < torch.tensor(ends)[:, None])).long()
