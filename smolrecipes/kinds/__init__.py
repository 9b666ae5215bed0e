"""The nine kinds of components: what each makes, and from what, a file each. Heavy imports stay inside method bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.kinds.adapter import Adapter
from smolrecipes.kinds.architecture import Architecture
from smolrecipes.kinds.batch import Layout, Loss, Mean, Parts
from smolrecipes.kinds.callback import Callback
from smolrecipes.kinds.data import Data, Outcome, Transform
from smolrecipes.kinds.evaluator import Evaluator, Scores, Subject, Weights
from smolrecipes.kinds.exporter import Exporter
from smolrecipes.kinds.objective import AnswersFor, Objective
from smolrecipes.kinds.tokenizer import Tokenizer

if TYPE_CHECKING:
    from smolrecipes.component import Component
    from smolrecipes.kinds.data import Facts as Facts

__all__ = [
    "Adapter",
    "AnswersFor",
    "Architecture",
    "Callback",
    "Data",
    "Evaluator",
    "Exporter",
    "Layout",
    "Loss",
    "Mean",
    "Objective",
    "Outcome",
    "Parts",
    "Scores",
    "Subject",
    "Tokenizer",
    "Transform",
    "Weights",
]

KINDS: dict[str, type[Component]] = {
    cls.kind: cls
    for cls in (Tokenizer, Architecture, Data, Transform, Objective, Adapter, Callback, Evaluator, Exporter)
}
