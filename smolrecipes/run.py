"""A run and its directory: stages trained at most once, lineage, resume, finish."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from smolrecipes.component import Component
from smolrecipes.console import is_first, say
from smolrecipes.errors import RecipeError
from smolrecipes.files import differs, write_text
from smolrecipes.kinds import Evaluator
from smolrecipes.launch import agreed, first_only
from smolrecipes.lock import alone
from smolrecipes.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolrecipes.assemble import Assembly

Part = TypeVar("Part", bound=Component)
WORLD = int(os.environ.get("WORLD_SIZE", "1"))
"""Processes that the launcher started."""


@dataclass(frozen=True)
class Run:
    """A run directory."""

    folder: Path
    recipe: Recipe

    @property
    def model(self) -> Path:
        """The finished model with its tokenizer; merged when an adapter was trained."""
        return self.folder / "model"

    @property
    def adapter(self) -> Path:
        """The adapter alone, when one was trained."""
        return self.folder / "adapter"

    @property
    def lineage(self) -> Path:
        """Where it came from: hashes, versions, the command."""
        return self.folder / "lineage.json"

    @property
    def finished(self) -> bool:
        """Whether it was trained to the end; `results.json` is written last."""
        return (self.folder / "results.json").exists()

    @property
    def results(self) -> dict[str, Any]:
        """What came of it: `before` and `after` held-out numbers, samples, sizes."""
        file = self.folder / "results.json"
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise RecipeError(
                f"{file} is damaged; remove it, and the run ends anew from its newest checkpoint"
            ) from None
        return found

    def finish(self, results: dict[str, Any]) -> None:
        """Writes the results, whole or not at all: they say that the run is finished."""
        write_text(self.folder / "results.json", json.dumps(results, indent=2, ensure_ascii=False))


def run(recipe: Recipe, *, runs: str | Path = "runs", fresh: bool = False, command: str = "") -> Run:
    """Trains a recipe and every recipe it builds on, or finds them trained, and says what came of it.

    runs: the folder of all run directories. fresh: start over, keeping the old run aside. command: for the lineage.
    """
    from smolrecipes.cache import kept_in
    from smolrecipes.override import resolve
    from smolrecipes.summary import summarise

    recipe = resolve(recipe)
    if WORLD > 1:
        _join(recipe)
    with kept_in(Path(runs) / ".cache"):
        this = trained(recipe, Path(runs), fresh, command)
    if is_first():
        _point_last(this)
        _deliver(this)
    summarise(this)
    return this


def ready(recipe: Recipe, *, runs: str | Path = "runs") -> Assembly:
    """The recipe's trainer, before its first step; the recipes it builds on are trained first."""
    from smolrecipes.assemble import assemble
    from smolrecipes.build import check_fit
    from smolrecipes.cache import kept_in
    from smolrecipes.checkpoints import secure
    from smolrecipes.memory import look_for_idle
    from smolrecipes.override import resolve

    recipe = resolve(recipe)
    check_fit(recipe)
    _join(recipe)
    concrete = _bases(recipe, Path(runs), "", False)
    concrete = concrete.replace(training=concrete.training.replace(rehearse=False))  # only `run` rehearses
    cache = Path(runs) / ".cache"
    with kept_in(cache):
        assembly = assemble(concrete, place(recipe, Path(runs)).folder, cache)
    secure(assembly.trainer)
    if WORLD > 1:
        look_for_idle(assembly.trainer, True)  # only `run` looks for weights that never get a gradient
    return assembly


def place(recipe: Recipe, runs: Path) -> Run:
    """Where a recipe's run lies, found by its fingerprint; else `<runs>/<title>-<8 digits of the fingerprint>`."""
    from smolrecipes import lineage

    fingerprint = recipe.fingerprint()
    for found in sorted(runs.glob(f"*-{fingerprint[:8]}/lineage.json")):
        if lineage.read(found)["fingerprint"] == fingerprint:
            return Run(found.parent, recipe)
    return Run(runs / f"{recipe.title or recipe.objective.name}-{fingerprint[:8]}", recipe)


def trained(recipe: Recipe, runs: Path, fresh: bool, command: str, foreseen: bool = False) -> Run:
    """The finished run of a recipe, trained now unless it already is. foreseen: all of its stages were looked at."""
    from smolrecipes.summary import reused

    this = place(recipe, runs)
    if not fresh:
        first_only(lambda: _reopen_if_damaged(this))
    if fresh or not agreed(this.finished):
        with alone(this.folder):
            if fresh:
                first_only(lambda: _set_aside(this.folder))
            if not agreed(this.finished):  # another launch may have finished it meanwhile
                _make(this, runs, command, foreseen)
                return this
    reused(this)
    return this


def _reopen_if_damaged(this: Run) -> None:
    """Makes a finished run with a file that is not as it was written one that goes on from its newest checkpoint; what was
    made of it is kept. RecipeError where there is no checkpoint: nothing is trained anew unasked."""
    broken = differs(this.folder, this.results.get("files", {})) if this.finished else ""
    if not broken:
        return
    from smolrecipes.checkpoints import newest

    last = newest(this.folder / "checkpoints")[0]
    if last is None:
        raise RecipeError(
            f"{this.folder}: {broken}, and there is no whole checkpoint to make it again from; put the file back, or "
            "--fresh trains anew and keeps the old run"
        )
    aside = this.folder / f"model.{time.strftime('%Y%m%d-%H%M%S')}"
    say(f"{this.folder}: {broken}; the model is made again from {last}, and what was there is kept in {aside}")
    try:
        if this.model.exists():
            this.model.rename(aside)
        (this.folder / "results.json").unlink()
    except OSError as error:
        raise RecipeError(f"{this.folder}: {broken}, and it cannot be set aside ({error.strerror})") from None


def _make(this: Run, runs: Path, command: str, foreseen: bool) -> None:
    """Trains what a run builds on, then the run; one that fails before its first step leaves no folder behind."""
    from smolrecipes.assemble import assemble
    from smolrecipes.build import check_fit
    from smolrecipes.check.check import examine
    from smolrecipes.stage import train
    from smolrecipes.summary import bases, begin

    recipe = this.recipe
    check_fit(recipe)
    if not foreseen and agreed(any(not place(base, runs).finished for base in bases(recipe))):
        _join(recipe)
        first_only(lambda: _foresee(recipe, runs))
    concrete = _bases(recipe, runs, command, True)
    new, assembly = not this.folder.exists(), None
    try:
        first_only(lambda: _open(this, command, _begun(recipe, concrete)))
        _join(recipe)
        assembly = assemble(concrete, this.folder, runs / ".cache")
        begin(this, assembly)
        examined = assembly
        first_only(lambda: examine(concrete, examined, runs / ".cache"))
        train(this, assembly)
    except BaseException:
        if new and is_first() and not (assembly and assembly.trainer.state.global_step):
            shutil.rmtree(this.folder, ignore_errors=True)
        raise


def _foresee(recipe: Recipe, runs: Path) -> None:
    """Finds a mistake in the options, rows, labels and adapter of a recipe, and of those it builds on, before minutes go
    into training the first of them, which is looked at as a whole when its turn comes."""
    from smolrecipes.arguments import options
    from smolrecipes.check.check import foresee

    for stage in reversed([*dict.fromkeys(_stages(recipe, runs))][1:]):
        options(stage, place(stage, runs).folder)
        foresee(stage, runs / ".cache")


def _stages(recipe: Recipe, runs: Path) -> Iterator[Recipe]:
    """What is still to be trained, in its order; the recipe itself comes last."""
    from smolrecipes.summary import bases

    for base in bases(recipe):
        if not place(base, runs).finished:
            yield from _stages(base, runs)
    yield recipe


def _join(recipe: Recipe) -> None:
    """Joins the other processes; late when there are none, since it imports torch and a finished run needs none."""
    from smolrecipes.launch import join

    join(recipe.training.device)


def _bases(part: Part, runs: Path, command: str, foreseen: bool) -> Part:
    """`part` with every `Trained(recipe)` in it trained and replaced by its folder."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.architectures.trained import Trained

    def settle(value: Any) -> Any:
        if isinstance(value, Trained):
            return Pretrained(str(trained(value.recipe, runs, False, command, foreseen).model))
        if isinstance(value, Component):
            return _bases(value, runs, command, foreseen)
        return tuple(map(settle, value)) if isinstance(value, tuple) else value

    changed = {name: settle(getattr(part, name)) for name in part.options()}
    return part.replace(**changed) if any(changed[n] is not getattr(part, n) for n in changed) else part


def _begun(recipe: Recipe, concrete: Recipe) -> str:
    """The folder of the run whose model a recipe begins with; empty where it begins with another."""
    from smolrecipes.architectures.pretrained import Pretrained

    begun = concrete.model
    return Path(begun.path).parent.name if isinstance(begun, Pretrained) and begun is not recipe.model else ""


def _open(this: Run, command: str, base: str) -> None:
    """Makes the run directory with the resolved recipe and the lineage, before anything is trained."""
    from smolrecipes.changes import changes
    from smolrecipes.lineage import write
    from smolrecipes.serialize import dumps

    try:
        this.folder.mkdir(parents=True, exist_ok=True)
        if not (this.folder / "recipe.json").exists() and (said := changes(this.recipe, this.folder)):
            say(said)
        write_text(this.folder / "recipe.json", dumps(this.recipe))
        write(this.lineage, this.recipe, command, base)
    except OSError as error:
        raise RecipeError(
            f"{this.folder}: cannot write there ({error.strerror}); name another folder with --runs"
        ) from None


def _set_aside(folder: Path) -> None:
    if folder.exists():
        old = folder.with_name(f"{folder.name}.{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            folder.rename(old)
        except OSError as error:
            raise RecipeError(f"{folder}: cannot be set aside ({error.strerror})") from None
        say(f"the old run is kept as {old}")


def _deliver(this: Run) -> None:
    """Runs the recipe's evaluators and exporters that this run has no result of yet; where one fails the others run."""
    results, failed = this.results, list[str]()
    for what, parts in (("evaluations", this.recipe.evaluators), ("exports", this.recipe.exporters)):
        done = results.setdefault(what, {})
        for part in parts:
            if repr(part) in done:
                continue
            try:
                done[repr(part)] = part.evaluate(this) if isinstance(part, Evaluator) else str(part.export(this))
            except RecipeError as error:
                failed.append(f"{error}")
                continue
            this.finish(results)  # at once: the next may take long
            say(f"{part.name}: {_told(done[repr(part)])}")
    if failed:
        raise RecipeError(
            "\n".join([*failed, f"The model is trained, in {this.model}; the same command tries this again"])
        )


def _told(made: Any) -> str:
    """An evaluator's numbers, or where an export lies."""
    return ", ".join(f"{n} {v:.4g}" for n, v in made.items()) if isinstance(made, dict) else str(made)


def _point_last(this: Run) -> None:
    """`runs/last`: a link to the newest run, or a file with its name where links are not allowed."""
    last = this.folder.parent / "last"
    if last.is_dir() and not last.is_symlink():
        say(f"{last} is a folder, so it does not point to this run")
        return
    last.unlink(missing_ok=True)
    try:
        last.symlink_to(this.folder.name, target_is_directory=True)
    except OSError:
        last.write_text(this.folder.name, encoding="utf-8")


def command_line() -> str:
    """The command that this process was started with."""
    return " ".join(sys.argv)
