"""What all exporters do: write aside, compare with the trained model, keep the certificate, and only then be there."""

from __future__ import annotations

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

LONGEST = 512
"""Tokens of a prompt and its answer that are compared at the most."""
MERGED = 1e-3
"""Nats that log-probabilities may differ on average where weights are the same in float32."""


class Certified(Exporter):
    """A deliverable that is compared with the trained model; one that differs is removed, and the export fails."""

    out: str = option(default="", affects_weights=False)
    """Where it is put; by default among the run's `exports/`."""

    def export(self, run: Run) -> Path:
        """Where the deliverable lies, its certificate beside it (`.parity.json`); RecipeError where it is another model."""
        from smolrecipes.console import say
        from smolrecipes.exporters.card import write_card
        from smolrecipes.files import refused, write_text

        target = Path(self.out).resolve() if self.out else run.folder / "exports" / self.file(run)
        certificate = target.with_name(f"{target.name}.parity.json")
        if target.exists() and not certificate.exists():
            raise RecipeError(f"{target} is there already and is none of our exports; name another place")
        partial = target.with_name(f"partial-{target.name}")
        made: list[Certificate] = []
        try:
            _remove(partial)
            if why := refused(lambda: target.parent.mkdir(parents=True, exist_ok=True)):
                raise RecipeError(f"{target}: it cannot be written ({why})")
            if why := refused(lambda: made.extend(self.make(run, partial))):
                raise RecipeError(f"{target}: it cannot be written ({why})")
            for one in made:
                say(f"  {one.sentence()}")
                if one.problem:
                    raise RecipeError(
                        f"{self.name}: {one.deliverable} is not the model that was trained: {one.problem}"
                    )
            _remove(target)
            partial.rename(target)
        finally:
            _remove(partial)
        write_text(certificate, f"[{', '.join(one.json() for one in made)}]")
        write_card(run)
        return target

    @abstractmethod
    def file(self, run: Run) -> str:
        """The name of the file or folder."""

    @abstractmethod
    def make(self, run: Run, target: Path) -> list[Certificate]:
        """Writes the deliverable, and says how it compares with the trained model."""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
