"""A trained model evaluated, alone or beside another: numbers, how sure they are, and the rows that make the difference."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.console import say
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data, Evaluator, Scores, Subject, Weights
from smolrecipes.origin import base_of, model_of, recipe_of, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset
    from numpy.typing import NDArray

    from smolrecipes.component import Component
    from smolrecipes.recipe import Recipe
    from smolrecipes.transforms.elsewhere import Elsewhere

SAMPLES = 2000
"""Bootstrap samples (Efron 1979)."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluator found of a model."""

    evaluator: Evaluator
    numbers: dict[str, float]
    scores: Scores
    origins: tuple[str, ...]
    """Where each row came from."""
    of: int
    """How many rows the data has."""

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The scores, (rows,) each."""
        return _columns(self.scores)

    def intervals(self, seed: int = 0) -> dict[str, Interval]:
        """Between which values each number lies, 95 times in 100, were other rows drawn from the same source; none
        where there are no rows."""
        if not self.origins:
            return {}
        return _percentiles([self.evaluator.measure(some) for some in _drawn([self.columns], seed)[0]])


@dataclass(frozen=True)
class Difference:
    """Two models on the same rows."""

    numbers: dict[str, float]
    """The second less the first."""
    intervals: dict[str, Interval]
    """Of the differences, by bootstrap over the rows, both models on the same ones."""
    rows: tuple[int, ...]
    """Which rows are scored differently."""


def subject_of(place: Path, recipe: Recipe | None = None) -> Subject:
    """The model in a folder with its tokenizer, on the device that training would take.

    recipe: of its run; by default what lies beside it. Of a GGUF file among a run's exports: the run's model, and the file that answers in its place.
    """
    from smolrecipes.ask.load import load
    from smolrecipes.decoding import Decoding

    folder, file = model_of(place), place if place.suffix == ".gguf" else None
    recipe = recipe or recipe_of(folder)
    model, tokenizer = load(folder)
    decoding = recipe.decoding if recipe else Decoding()
    return Subject(model, tokenizer, decoding, folder, base_of(folder, recipe), recipe, file)


def beside(subject: Subject, other: Path | Weights) -> Subject:
    """Another model, to be evaluated on the same rows with the same decoding."""
    from smolrecipes.ask.load import load

    if isinstance(other, Weights):
        model, tokenizer = load(*other)
        return replace(subject, model=model, tokenizer=tokenizer, base=None, file=None)
    return replace(subject_of(other), decoding=subject.decoding, folder=subject.folder, recipe=subject.recipe)


def evaluate(evaluator: Evaluator, subject: Subject, rows: Dataset | None = None) -> Evaluation:
    """The evaluator's numbers of a model, on `rows`, or on its own data, or on the held-out rows of the model's run."""
    evaluator.check(subject)
    rows = rows_of(evaluator, subject.folder, subject.recipe) if rows is None else rows
    chosen = _readable(evaluator, subject, spread(rows, evaluator.max_rows))
    if evaluator.rows and not len(chosen):
        raise RecipeError(f"{evaluator.name}.data: there is no row to evaluate on")
    scores = evaluator.score(subject, chosen)
    origins = tuple(chosen["origin"]) if evaluator.rows else ()
    return Evaluation(evaluator, evaluator.measure(_columns(scores)), scores, origins, len(rows))


def _readable(evaluator: Evaluator, subject: Subject, rows: Dataset) -> Dataset:
    """Without the rows that are longer than the model reads, of which there is a word."""
    from smolrecipes.architectures.sizes import readable

    limit = readable(subject.model.config)
    if not limit or not evaluator.rows:
        return rows
    fits = [evaluator.length(row, subject) <= limit for row in rows]
    if all(fits):
        return rows
    first = rows[fits.index(False)]["origin"]
    say(
        f"{evaluator.name}: {fits.count(False):,} of {len(fits):,} rows are longer than the {limit:,} tokens that the model "
        f"reads, and left out ({first} is the first)"
    )
    return rows.select([index for index, fit in enumerate(fits) if fit])


def _columns(scores: Scores) -> dict[str, NDArray[Any]]:
    """The scores, (rows,) each."""
    import numpy as np

    return {name: np.asarray(values, np.float64) for name, values in scores.columns.items()}


def spread(rows: Dataset, most: int | None) -> Dataset:
    """At most so many rows, spread evenly."""
    if most is None or len(rows) <= most:
        return rows
    return rows.select([index * len(rows) // most for index in range(most)])


def difference(one: Evaluation, other: Evaluation, seed: int = 0) -> Difference:
    """The second model less the first, on the same rows."""
    if one.origins != other.origins or one.evaluator != other.evaluator:
        raise RecipeError("two models can be compared on the same rows by the same evaluator alone")
    numbers = {name: other.numbers[name] - value for name, value in one.numbers.items() if name in other.numbers}
    if not one.origins:
        return Difference(numbers, {}, ())
    first, second = _drawn([one.columns, other.columns], seed)
    measure = one.evaluator.measure
    pairs = [(measure(mine), measure(theirs)) for mine, theirs in zip(first, second)]
    gaps = [{name: theirs[name] - value for name, value in mine.items() if name in theirs} for mine, theirs in pairs]
    differ = sum(abs(values - other.columns[name]) > 1e-9 for name, values in one.columns.items())
    return Difference(numbers, _percentiles(gaps), tuple(int(row) for row in (differ > 0).nonzero()[0]))


def rows_of(evaluator: Evaluator, folder: Path | None = None, recipe: Recipe | None = None) -> Dataset:
    """The evaluator's data, or the held-out rows of the model in `folder` and its recipe, as a row type that it reads."""
    from smolrecipes.cache import kept_in, place
    from smolrecipes.data.rows import convert, make
    from smolrecipes.named import named
    from smolrecipes.origin import kept_for

    if not evaluator.rows:
        return make("text", [])
    data = evaluator.data
    if isinstance(data, str):
        found = named("data", data, f"{evaluator.name}.data")
        data = found.component(**found.options)  # type: ignore[assignment]
    with kept_in(kept_for(folder) if folder else place()):  # what the run has prepared is found again
        rows = _asked_alike(evaluator, data, recipe) if isinstance(data, Data) else _held_out(evaluator, folder, recipe)
        return convert(rows, evaluator.rows, type(evaluator).__name__)[0]


def _held_out(evaluator: Evaluator, folder: Path | None, recipe: Recipe | None) -> Dataset:
    """The rows that a run held out."""
    from smolrecipes.assemble import load_rows

    run = run_of(folder) if folder else None
    if run is None or recipe is None:
        raise RecipeError(f"{evaluator.name}: {folder} is no run, so no rows were held out; give it data")
    _check_unchanged(recipe, run)
    held_out = load_rows(recipe)[1]
    if held_out is None:
        raise RecipeError(f"{evaluator.name}: the run held out no rows (validation=0); give the evaluator data")
    return held_out


def _asked_alike(evaluator: Evaluator, data: Data, recipe: Recipe | None) -> Dataset:
    """Its rows; labelled texts become the conversations that the run's own became, with the same words for the labels."""
    from smolrecipes.data.chats import Chats
    from smolrecipes.data.rows import row_type

    rows, own = data.load(), recipe.data if recipe else None
    if not isinstance(own, Chats) or row_type(rows) not in ("labelled", "pair") or "system" in evaluator.given():
        return rows
    say(f"{evaluator.name}: the rows are asked as the run's own were, as chats")
    return own.replace(data=data).load()


def _check_unchanged(recipe: Recipe, run: Path) -> None:
    """Of data that has changed since, other rows would be held out today, rows that were trained on among them."""
    from smolrecipes import lineage
    from smolrecipes.cache import kept_in
    from smolrecipes.cards.trail import made

    sources = {name: part for name, part in recipe.children() if name in ("data", "validation")}
    for missing in (step for part in sources.values() for step in _elsewhere(part)):
        raise missing.refusal()
    then = lineage.read(run / "lineage.json")
    now = {name: part.fingerprint() for name, part in sources.items()}
    changed = [name for name, mark in now.items() if then["parts"].get(name) != mark]
    if changed:
        raise RecipeError(
            f"{run}: the {changed[0]} is not what it was when the model was trained, so nobody knows which rows were held "
            "out; give the evaluator data"
        )
    with kept_in(run.parent / ".cache"):
        step = lineage.other_step(then.get("data", ()), made(recipe))
    if step:
        raise RecipeError(
            f"{run}: the rows made now are not those that the model was trained on, from {step} on, of which the code, a "
            "package or the files read are another version, so nobody knows which rows were held out; give the evaluator data"
        )


def _elsewhere(part: Component) -> Iterator[Elsewhere]:
    """The steps in some data whose code lies in a recipe file."""
    from smolrecipes.transforms.elsewhere import Elsewhere

    if isinstance(part, Elsewhere):
        yield part
    for _, child in part.children():
        yield from _elsewhere(child)


def _drawn(tables: list[dict[str, NDArray[Any]]], seed: int) -> list[list[dict[str, NDArray[Any]]]]:
    """Rows drawn with replacement, the same of all tables, SAMPLES times."""
    import numpy as np

    rng = np.random.default_rng(seed)
    size = len(next(iter(tables[0].values()), ()))
    draws = [rng.integers(size, size=size) for _ in range(SAMPLES)] if size else []
    return [[{name: values[rows] for name, values in table.items()} for rows in draws] for table in tables]


def _percentiles(samples: list[dict[str, float]]) -> dict[str, Interval]:
    import numpy as np

    names = dict.fromkeys(name for one in samples for name in one)  # a rare one is not in every sample
    ends = {name: np.nanpercentile([one.get(name, np.nan) for one in samples], (2.5, 97.5)) for name in names}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def record(found: Evaluation, model: str) -> list[str]:
    """A line of JSON for each row: what was asked and answered, and its scores; what a score is not about is null."""
    import math

    known = {"model": model, "evaluator": found.evaluator.name}
    shown = found.scores.shown or [{} for _ in found.origins]
    values = {name: [None if math.isnan(v) else v for v in column.tolist()] for name, column in found.columns.items()}
    return [
        json.dumps(
            {**known, "origin": origin, **told, "scores": {name: column[row] for name, column in values.items()}},
            ensure_ascii=False,
        )
        for row, (origin, told) in enumerate(zip(found.origins, shown))
    ]
