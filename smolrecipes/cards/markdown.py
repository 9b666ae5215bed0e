"""The data card as Markdown, with the header that the hub reads."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from smolrecipes.cards.difference import by_lines, pieces, visible
from smolrecipes.cards.shown import masked
from smolrecipes.profile.languages import UNKNOWN, grouped, named
from smolrecipes.profile.lengths import QUANTILES
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from smolrecipes.cards.card import Card, Pipeline, Table
    from smolrecipes.pipeline.stages import Stage

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
"""The hub's names of sizes, each with where it ends."""
LICENCE = (
    "**To be filled in.** The licence is that of the sources, which smolrecipes does not know: name it here, and as "
    "`license` in the header above, before anybody else is given these rows."
)


def markdown(card: Card) -> str:
    """The card, below its title."""
    parts = [
        f"# {_line(card.title)}",
        card.sentence(),
        f"## Licence\n\n{LICENCE}",
        "## Source\n\n" + "\n".join(f"- {_line(sentence)}" for sentence in card.said),
        f"## Recipe\n\n{fenced(card.code, 'python')}",
        *(part for pipeline in card.pipelines for part in _pipeline(pipeline)),
        *filter(None, [_line(masked(card.pipelines))]),
        _rows(card),
        f"## Lengths\n\n{table(*quantiles(card))}",
        f"## Versions\n\n{card.versions()}; made on {card.made}; fingerprint `{card.fingerprint}`.",
    ]
    return hidden("\n\n".join(parts) + "\n")


def header(card: Card, features: Sequence[dict[str, str]]) -> str:
    """The hub's metadata; `features` are the columns with their types.

    It names no files: data/train-* is found without, and `datasets` 5.2 takes folders whose headers name the same files for
    the same folder, whatever lies there, and answers with the rows of the first from its cache.
    """
    spoken = named(card.languages or {})
    lines = [f"pretty_name: {json.dumps(hidden(card.title), ensure_ascii=False)}", "# license: to be filled in"]
    lines += ["language:", *(f"- {json.dumps(code)}" for code in spoken)] if spoken else []
    lines += ["size_categories:", f"- {size(card.rows)}", "tags:", "- smolrecipes", f"- {card.kind}"]
    return "\n".join(["---", *lines, *_features(features), "---", "", ""])


def size(rows: int) -> str:
    """The hub's name for so many rows."""
    return next((name for end, name in SIZES if rows < end), "n>10M")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; what is in a cell stays in it."""
    lines = [[_cell(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---", *["---:"] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def quantiles(card: Card) -> Table:
    """The lengths of rows before and after, in characters and words."""
    rows = []
    for what, found in card.measured().items():
        told = f"{what} ({len(found.characters):,} of {found.of:,}, evenly spread)" if found.sampled else what
        for unit, values in found.table().items():
            rows.append((f"{told}, {unit}", *(f"{values[name]:,}" for name in (*QUANTILES, "mean"))))
    return ("rows", *QUANTILES, "mean"), rows


def fenced(text: str, language: str = "") -> str:
    """A block that nothing in the text ends."""
    fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _pipeline(pipeline: Pipeline) -> list[str]:
    """The steps, and what each did and why."""
    note = "MB and seconds are of one pass over the texts, on one core."
    parts = [f"## Steps\n\n{table(*pipeline.steps())}\n\n{note}"]
    for stage in pipeline.stages[1:]:
        if stage.report.reasons:
            parts += [f"### `{_line(stage.step)}`", table(*reasons(stage)), *_examples(stage)]
    return parts


def reasons(stage: Stage) -> Table:
    """Why rows were dropped or changed, and how many."""
    return ("reason", "rows"), [(reason, f"{count:,}") for reason, count in stage.report.reasons.items()]


def _examples(stage: Stage) -> list[str]:
    shown = []
    for one in stage.report.examples:
        told = f"{_line(one['origin'])}: {_line(one['reason'])}"
        lines = [visible(line) for line in by_lines(pieces(one))] if "before" in one else []
        shown.append(f"{told}\n\n{fenced(chr(10).join(lines), 'diff')}" if lines else told)
    return ["<details><summary>Examples</summary>", *shown, "</details>"] if shown else []


def _rows(card: Card) -> str:
    splits = table(("split", "rows"), [(name, f"{count:,}") for name, count in card.splits.items()])
    found = card.languages
    spoken = UNKNOWN if found is None else ", ".join(f"{code} {count:,}" for code, count in grouped(found).items())
    told = f"Type `{card.kind}`; columns {', '.join(f'`{name}`' for name in card.columns)}."
    return f"## Rows\n\n{told}\n\n{splits}\n\nLanguages, of a sample: {spoken or 'the texts are too short to tell'}."


def _features(features: Sequence[dict[str, str]]) -> list[str]:
    if not features:
        return []
    return ["dataset_info:", "  features:", *(line for one in features for line in _feature(one))]


def _feature(one: dict[str, str]) -> list[str]:
    (first, *others) = one.items()
    return [f"  - {first[0]}: {first[1]}", *(f"    {name}: {value}" for name, value in others)]


def _line(text: str) -> str:
    """On one line, with what Markdown would read as marks shown as it is."""
    return re.sub(r"([\\`*_<>\[\]#|])", r"\\\1", " ".join(visible(text).split()))


def _cell(text: str) -> str:
    return " ".join(visible(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
