"""One dial for a new model: a budget of parameters becomes balanced sizes and a vocabulary, with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolrecipes.architectures.scratch import Scratch

One = TypeVar("One", bound="Scratch")

RATIO = 40
"""Width for each layer. From 20 to 100 the loss hardly depends on it (arXiv:2001.08361); small models gain by depth."""
VOCABULARY_SHARE = 0.2
"""Of the parameters, the most that a proposed vocabulary takes."""
SEEN = 200
"""How often the data must show an entry of the vocabulary, on average."""
WIDTHS = (*range(32, 512, 32), *range(512, 4096, 64), *range(4096, 12_289, 256))
"""Multiples of a head's size: 32, or 64 from a width of 512 on."""
UNCOUNTED = 12
"""Layers where one has the weights of all, so that the budget says nothing of their number."""
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
    found = [
        shape for width in WIDTHS if width * width < asked for shape in _shapes(cls, asked, width, vocabulary, tokens)
    ]
    if not found:
        raise RecipeError(
            f"{cls.__name__}: no balanced sizes have {shown(asked)} parameters"
            + (f" with a vocabulary of {vocabulary:,}; take a smaller one" if vocabulary else "; take more")
        )
    best = min(found, key=lambda shape: shape.distance)
    model = _model(cls, best.hidden, best.layers, best.ffn, best.max_length)
    count = model.parameters(best.vocabulary)
    return Plan(model, best.vocabulary, count, explain(model, best.vocabulary, asked))


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


class Shape(NamedTuple):
    """Sizes that fill a budget, and how far they are from the family's proportions."""

    distance: float
    hidden: int
    layers: int
    ffn: int | None
    vocabulary: int
    max_length: int


def _shapes(cls: type[One], asked: int, hidden: int, given: int | None, tokens: int | None) -> Iterator[Shape]:
    """For this width, the shapes within 2 % of the budget. Weights grow by as much with each layer, with each unit of the
    feed-forward layer in each, and with each entry of the vocabulary."""
    first, longest = cls.step * 2, _longest(cls, asked, hidden)
    fixed = cls.hints()["ffn"] is type(None)
    plain = _model(cls, hidden, first, None, longest)

    def count(layers: int, ffn: int) -> int:
        return _model(cls, hidden, layers, None if fixed else ffn, longest).parameters(0)

    rest, entry = plain.parameters(0), plain.parameters(1) - plain.parameters(0)
    layer = (count(2 * first, plain.width) - rest) / first
    unit = 0.0 if fixed else (count(first, plain.width + 64) - rest) / 64 / (first if layer else 1)
    for layers in range(first, 65, cls.step) if layer else (UNCOUNTED,):
        each = unit * (layers if layer else 1)
        for size in (given,) if given else _vocabularies(asked, plain.embeddings, tokens):
            missing = asked - rest - layer * (layers - first) - entry * size
            wished = round(missing / each / 8) * 8 if each else 0
            added = min(max(wished, -plain.width // 32 * 8), plain.width // 24 * 8)  # by a third at most
            off = abs(missing - added * each) / asked
            if off > 0.02:
                continue
            shape = abs(math.log(hidden / layers / RATIO)) + abs(math.log((plain.width + added) / plain.width))
            table = 0 if given else abs(math.log(size / _vocabularies(asked, plain.embeddings, tokens)[0]))
            yield Shape(shape + table + 5 * off, hidden, layers, None if fixed else plain.width + added, size, longest)


def _vocabularies(asked: int, embeddings: int, tokens: int | None) -> list[int]:
    """The one to propose first: a power of two that the budget and the data allow; and those near it. Of 512 at least,
    since bytes alone are 256."""
    most = min(65_536, VOCABULARY_SHARE * asked / embeddings, tokens / SEEN if tokens else 65_536)
    best = 2 ** int(math.log2(max(512, most)))
    return [best, *range(max(320, best // 2), best * 3 // 2, best // 16)]


def _longest(cls: type[One], asked: int, hidden: int) -> int:
    """Tokens to read: the family's own, or half as often as it takes for a table of positions to be a tenth at most."""
    longest = _model(cls, hidden, cls.step, None, None).max_length
    row = _model(cls, hidden, cls.step, None, 2).parameters(0) - _model(cls, hidden, cls.step, None, 1).parameters(0)
    while longest > 128 and row * longest > asked / 10:
        longest //= 2
    return longest


def _model(cls: type[One], hidden: int, layers: int, ffn: int | None, longest: int | None) -> One:
    model = cls(hidden=hidden, layers=layers, heads=hidden // (32 if hidden < 512 else 64))
    changes = {"ffn": ffn, "max_length": longest}
    return model.replace(**{name: size for name, size in changes.items() if size})
