"""An exporter: a deliverable made from a finished run."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from smolrecipes.component import Component

if TYPE_CHECKING:
    from pathlib import Path

    from smolrecipes.run import Run


class Exporter(Component, kind="exporter"):
    """A deliverable made from a finished run."""

    def check(self, run: Run) -> None:
        """RecipeError where it cannot be made of this run; asked before anything is made."""

    @abstractmethod
    def export(self, run: Run) -> Path:
        """Where the deliverable lies."""
