"""What all exporters do: write aside, compare with the trained model, keep the certificate, and only then be there."""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Exporter

if TYPE_CHECKING:
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run


class Certified(Exporter):
    """A deliverable that is compared with the trained model; one that differs is removed, and the export fails."""

    out: str = option(default="", affects_weights=False)
    """Where it is put; by default among the run's `exports/`."""

    def export(self, run: Run) -> Path:
        """Where the deliverable lies, its certificate beside it (`.parity.json`); RecipeError where it is another model."""
        from smolrecipes.files import refused

        self.check(run)
        usual = run.folder / "exports" / self.file(run)
        target = Path(self.out).resolve() if self.out else usual
        if target.exists() and not certificate_of(target).exists():
            raise RecipeError(f"{target} is there already and is none of our exports; name another place")
        if why := refused(lambda: self._put(run, target, usual)):
            raise RecipeError(f"{target}: it cannot be written ({why})")
        return target

    def _put(self, run: Run, target: Path, usual: Path) -> None:
        """Makes it in a folder of its own beside its place, and moves it there once it holds."""
        from tempfile import TemporaryDirectory

        from smolrecipes.exporters.card import write_card
        from smolrecipes.files import write_text

        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f"partial-{target.name}-", dir=target.parent) as aside:
            made = self.make(run, Path(aside) / target.name)
            self._holds(made)
            for place in dict.fromkeys((target, usual)):  # the model card tells also of what lies elsewhere
                place.parent.mkdir(exist_ok=True)
                write_text(certificate_of(place), figures(made))
            _remove(target)
            (Path(aside) / target.name).rename(target)
        write_card(run)

    def _holds(self, made: list[Certificate]) -> None:
        from smolrecipes.console import say

        for one in made:
            say(f"  {one.sentence()}")
            if one.problem:
                raise RecipeError(f"{self.name}: {one.deliverable} is not the model that was trained: {one.problem}")

    @abstractmethod
    def file(self, run: Run) -> str:
        """The name of the file or folder."""

    @abstractmethod
    def make(self, run: Run, target: Path) -> list[Certificate]:
        """Writes the deliverable, and says how it compares with the trained model."""


def certificate_of(deliverable: Path) -> Path:
    """The file that holds its figures."""
    return deliverable.with_name(f"{deliverable.name}.parity.json")


def figures(made: list[Certificate]) -> str:
    """The figures of certificates, as JSON."""
    return json.dumps([one.figures() for one in made], indent=2, ensure_ascii=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
