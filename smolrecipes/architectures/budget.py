"""One dial for a new model: a budget of parameters becomes balanced sizes and a vocabulary, with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from smolrecipes.architectures.scratch import Scratch

One = TypeVar("One", bound="Scratch")

RATIO = 40
"""Width for each layer. From 20 to 100 the loss hardly depends on it (arXiv:2001.08361); small models gain by depth."""
VOCABULARY_SHARE = 0.2
"""Of the parameters, the most that a proposed vocabulary takes."""
SEEN = 200
"""How often the data must show an entry of the vocabulary, on average."""
UNITS = {"K": 10**3, "M": 10**6, "B": 10**9}


@dataclass(frozen=True)
class Plan(Generic[One]):
    """What a budget became."""

    model: One
    vocabulary: int
    """The tokenizer's: `ByteBPE(vocab_size=plan.vocabulary)`."""
    parameters: int
    why: str


def plan(cls: type[One], budget: int | str, vocabulary: int | None, tokens: int | None) -> Plan[One]:
    """The sizes nearest to the family's proportions that fill the budget."""
    asked = read(budget, cls.__name__)
    found = [one for hidden in _widths(asked) for one in _fitted(cls, asked, hidden, vocabulary, tokens)]
    if not found:
        raise RecipeError(
            f"{cls.__name__}: no balanced sizes have {shown(asked)} parameters"
            + (f" with a vocabulary of {vocabulary:,}; take a smaller one" if vocabulary else "; take more")
        )
    _, model, size = min(found, key=lambda one: one[0])
    count = model.parameters(size)
    return Plan(model, size, count, explain(model, size, asked))


def read(budget: int | str, who: str) -> int:
    """10_000_000 of "10M"."""
    text = str(budget).strip().replace("_", "").upper()
    try:
        asked = float(text[:-1]) * UNITS[text[-1:]] if text[-1:] in UNITS else float(text)
    except ValueError:
        raise RecipeError(f"{who}: a budget is a number of parameters such as 10M or 300_000, not {budget!r}") from None
    if not 200_000 <= asked <= 2_000_000_000:
        raise RecipeError(f"{who}: a budget lies between 0.2M and 2B parameters, not {budget!r}")
    return round(asked)


def explain(model: Scratch, vocabulary: int, asked: int) -> str:
    """The sizes and their reasons in a sentence."""
    count, table = model.parameters(vocabulary), vocabulary * model.embeddings
    return (
        f"{type(model).__name__} of {shown(count)} parameters for {shown(asked)}: {model.layers} layers of {model.hidden} "
        f"({model.hidden / model.layers:.0f} wide for each layer; from 20 to 100 it hardly matters), "
        f"{model.heads} heads of {model.hidden // model.heads}, a feed-forward layer {model.width / model.hidden:.1f} "
        f"times as wide, {model.max_length:,} tokens, and a vocabulary of {vocabulary:,}, whose table is "
        f"{table / count:.0%} of the parameters"
    )


def shown(count: int) -> str:
    """9.98 M of 9,980,000."""
    return f"{count / 1e9:.3g} B" if count >= 1e9 else f"{count / 1e6:.3g} M"


def _widths(asked: int) -> list[int]:
    """Multiples of a head's size: 32, or 64 from a width of 512 on."""
    return [width for width in (*range(32, 512, 32), *range(512, 4097, 64)) if width * width < asked]


def _fitted(
    cls: type[One], asked: int, hidden: int, vocabulary: int | None, tokens: int | None
) -> list[tuple[float, One, int]]:
    """For this width, sizes within 2 % of the budget, each with its distance from the proportions."""
    table = cls(hidden=hidden, heads=1).embeddings
    most = 2 ** int(math.log2(max(256, VOCABULARY_SHARE * asked / table)))
    most = min(65_536, most, 2 ** int(math.log2(max(256, tokens / SEEN)))) if tokens else min(65_536, most)
    found = []
    for layers in range(2 * cls.step, 65, cls.step):
        for size in [vocabulary] if vocabulary else [most, *range(most // 2, most * 3 // 2, max(64, most // 16))]:
            model = _filled(_start(cls, asked, hidden, layers), asked, size)
            off = abs(model.parameters(size) / asked - 1)
            if off > 0.02:
                continue
            wide = abs(math.log(hidden / layers / RATIO)) + abs(math.log(model.width / _plain(model).width))
            found.append((wide + 5 * off + (0 if vocabulary else abs(math.log(size / most))), model, size))
    return found


def _start(cls: type[One], asked: int, hidden: int, layers: int) -> One:
    """The family's own proportions; a table of positions takes a tenth at most."""
    model = cls(layers=layers, hidden=hidden, heads=hidden // (32 if hidden < 512 else 64))
    longest = model.max_length
    while longest > 128 and model.parameters(0) - model.replace(max_length=1).parameters(0) > asked / 10:
        longest //= 2
        model = model.replace(max_length=longest)
    return model


def _filled(model: One, asked: int, vocabulary: int) -> One:
    """The feed-forward layer made wider or narrower, by a third at most, so that the budget is filled."""
    if type(model).hints()["ffn"] is type(None):
        return model
    plain = model.width
    rest = model.replace(ffn=8).parameters(vocabulary)
    slope = (model.replace(ffn=16).parameters(vocabulary) - rest) / 8
    wished = round((8 + (asked - rest) / slope) / 8) * 8
    return model.replace(ffn=min(max(wished, plain * 3 // 4 // 8 * 8), plain * 4 // 3 // 8 * 8))


def _plain(model: One) -> One:
    return model.replace(ffn=None)
