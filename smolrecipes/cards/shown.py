"""What others may see of a pipeline: no credentials, and no texts where a step masks some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from smolrecipes.secrets import hidden

if TYPE_CHECKING:
    from smolrecipes.cards.card import Pipeline
    from smolrecipes.pipeline.report import Report
    from smolrecipes.pipeline.stages import Stage

TEXTS = ("before", "after")
"""What an example says of a row's texts."""


def shown(pipelines: Sequence[Pipeline]) -> tuple[Pipeline, ...]:
    """The pipelines of a card; other steps, and other pipelines of the same source, see what a private step masks."""
    texts = not masked(pipelines)
    return tuple(replace(one, stages=_stages(one.stages, texts)) for one in pipelines)


def masked(pipelines: Sequence[Pipeline]) -> str:
    """A sentence that says why no texts are shown; nothing where they are."""
    steps = dict.fromkeys(stage.step for one in pipelines for stage in one.stages if stage.report.private)
    return f"Examples without their texts: {' and '.join(steps)} takes out what others are not to see." if steps else ""


def _stages(stages: Sequence[Stage], texts: bool) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for one in stages:
        bare = replace(one, step=hidden(one.step), said=tuple(map(hidden, one.said)), report=_report(one.report, texts))
        found.append(replace(bare, before=found[-1] if found else None))
    return tuple(found)


def _report(report: Report, texts: bool) -> Report:
    """Without credentials, and with texts or without."""
    reasons: Counter[str] = Counter()
    for reason, count in report.reasons.items():
        reasons[hidden(reason)] += count
    kept = [{name: hidden(text) for name, text in one.items() if texts or name not in TEXTS} for one in report.examples]
    return replace(report, reasons=dict(reasons), examples=kept)
