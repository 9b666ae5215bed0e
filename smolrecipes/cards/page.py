"""The data card as one page by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.cards.difference import pieces, visible
from smolrecipes.cards.markdown import quantiles
from smolrecipes.cards.shown import masked
from smolrecipes.profile.html import bars, escape, page, section, table
from smolrecipes.profile.languages import UNKNOWN, grouped
from smolrecipes.profile.lengths import beside, histogram
from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from smolrecipes.cards.card import Card, Pipeline
    from smolrecipes.pipeline.stages import Stage
    from smolrecipes.profile.lengths import Lengths

LICENCE = "Licence: to be filled in. It is that of the sources, which smolrecipes does not know."
TAGS = {"same": "{}", "cut": "<del>{}</del>", "added": "<ins>{}</ins>"}


def html(card: Card) -> str:
    """The card."""
    parts = [
        f"<h1>{escape(card.title)}</h1><p>{escape(card.sentence())}</p><p><strong>{escape(LICENCE)}</strong></p>",
        section("Source", *(f"<p>{escape(visible(sentence))}</p>" for sentence in card.said)),
        section("Recipe", f"<pre>{escape(card.code)}</pre>"),
        *(section("Steps", *_pipeline(pipeline)) for pipeline in card.pipelines),
        *(f'<p class="soft">{escape(why)}</p>' for why in filter(None, [masked(card.pipelines)])),
        section("Rows", *_rows(card)),
        section("Lengths", *_histograms(card), table(*quantiles(card))),
        section("Versions", f"<p>{escape(card.versions())}</p>", f"<p>Made on {card.made}; fingerprint <code>{card.fingerprint}</code></p>"),
    ]  # fmt: skip
    return hidden(page(card.title, parts))


def _pipeline(pipeline: Pipeline) -> list[str]:
    note = '<p class="soft">MB and seconds are of one pass over the texts, on one core.</p>'
    return [table(*pipeline.steps()), note, *(_step(stage) for stage in pipeline.stages[1:] if stage.report.reasons)]


def _step(stage: Stage) -> str:
    """What a step did, why, and examples."""
    why = bars({reason: [count] for reason, count in stage.report.reasons.items()}, "rows by reason")
    shown = "".join(_example(one) for one in stage.report.examples)
    return f"<h3><code>{escape(stage.step)}</code></h3>{why}<details><summary>Examples</summary>{shown}</details>"


def _example(one: dict[str, str]) -> str:
    """A row before and after; what was dropped is shown as it was."""
    told = f'<p class="soft">{escape(one["origin"])}: {escape(one["reason"])}</p>'
    if "before" not in one:
        return told
    marked = "".join(TAGS[piece.kind].format(escape(visible(piece.text))) for piece in pieces(one))
    return f'{told}<div class="example">{marked}</div>'


def _rows(card: Card) -> list[str]:
    told = f"<p>Type <code>{card.kind}</code>; columns {escape(', '.join(card.columns))}.</p>"
    splits = table(("split", "rows"), [(name, f"{count:,}") for name, count in card.splits.items()])
    if card.languages is None:
        return [told, splits, f'<p class="soft">{escape(UNKNOWN)}</p>']
    return [
        told,
        splits,
        bars({code: [count] for code, count in grouped(card.languages).items()}, "languages, of a sample"),
    ]


def _histograms(card: Card) -> list[str]:
    """Before and after for each pipeline, or all rows."""
    pairs: list[tuple[Lengths, ...]] = [(one.before, one.after) for one in card.pipelines]
    names = ("before", "after") if pairs else ()
    return [
        bars(beside(*(histogram(getattr(one, unit)) for one in pair)), f"rows by {unit}", names)
        for pair in pairs or [(card.lengths,)]
        for unit in ("characters", "words")
    ]
