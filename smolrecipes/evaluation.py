"""A trained model evaluated, alone or beside another: numbers, how sure they are, and the rows that make the difference."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data, Evaluator, Scores, Subject

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray

    from smolrecipes.recipe import Recipe

SAMPLES = 2000
"""Bootstrap samples (Efron 1979)."""
Interval = tuple[float, float]
_ASKING = "function_calls, exact_match and classify.by=generation go by answers"


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
        import numpy as np

        return {name: np.asarray(values, np.float64) for name, values in self.scores.columns.items()}

    def intervals(self, seed: int = 0) -> dict[str, Interval]:
        """Between which values each number lies, 95 times in 100, were other rows drawn from the same source."""
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


def subject_of(place: Path) -> Subject:
    """The model in a folder with its tokenizer, on the device that training would take; beside it may lie its run's recipe.

    Of a GGUF file among a run's exports: the run's model, and the file that answers in its place.
    """
    from smolrecipes.ask.load import load
    from smolrecipes.decoding import Decoding

    folder, file = model_of(place), place if place.suffix == ".gguf" else None
    recipe = recipe_of(folder)
    model, tokenizer = load(folder)
    decoding = recipe.decoding if recipe else Decoding()
    return Subject(model, tokenizer, decoding, folder, base_of(recipe, folder) if recipe else None, file)


def model_of(place: Path) -> Path:
    """The folder with a model; of a GGUF file that of the run in which it lies."""
    if place.suffix != ".gguf":
        return place
    run = next((folder for folder in place.parents if (folder / "recipe.json").is_file()), None)
    if run is None:
        raise RecipeError(f"{place}: it lies in no run's exports/, so nobody knows its tokenizer and its held-out rows")
    return run / "model"


def recipe_of(folder: Path) -> Recipe | None:
    """The recipe of the run that a model folder belongs to."""
    stored = folder.parent / "recipe.json"
    if not stored.is_file():
        return None
    from smolrecipes.load import load_recipe

    return load_recipe(str(stored))


def base_of(recipe: Recipe, folder: Path) -> Path | None:
    """The folder of the model that a run began with, or its hub id; None where it began with random weights."""
    from smolrecipes.architectures.pretrained import Pretrained
    from smolrecipes.architectures.trained import Trained
    from smolrecipes.run import place

    if isinstance(recipe.model, Trained):
        return place(recipe.model.recipe, folder.parent.parent).model
    return Path(recipe.model.path) if isinstance(recipe.model, Pretrained) else None


def evaluate(evaluator: Evaluator, subject: Subject) -> Evaluation:
    """The evaluator's numbers of a model, on its own data or on the held-out rows of the model's run."""
    if subject.file and not evaluator.asks:
        raise RecipeError(f"{evaluator.name}: a GGUF file answers, and {evaluator.name} asks for more; {_ASKING}")
    rows = _rows(evaluator, subject)
    chosen = spread(rows, evaluator.max_rows)
    if evaluator.rows and not len(chosen):
        raise RecipeError(f"{evaluator.name}.data: there is no row to evaluate on")
    scores = evaluator.score(subject, chosen)
    found = Evaluation(evaluator, {}, scores, tuple(chosen["origin"] if evaluator.rows else ()), len(rows))
    return Evaluation(evaluator, evaluator.measure(found.columns), scores, found.origins, found.of)


def spread(rows: Dataset, most: int | None) -> Dataset:
    """At most so many rows, spread evenly."""
    if most is None or len(rows) <= most:
        return rows
    return rows.select([index * len(rows) // most for index in range(most)])


def difference(one: Evaluation, other: Evaluation, seed: int = 0) -> Difference:
    """The second model less the first, on the same rows."""
    if one.origins != other.origins or one.evaluator != other.evaluator:
        raise RecipeError("two models can be compared on the same rows by the same evaluator alone")
    first, second = _drawn([one.columns, other.columns], seed)
    measure = one.evaluator.measure
    pairs = [(measure(mine), measure(theirs)) for mine, theirs in zip(first, second)]
    gaps = [{name: theirs[name] - value for name, value in mine.items() if name in theirs} for mine, theirs in pairs]
    numbers = {name: other.numbers[name] - value for name, value in one.numbers.items() if name in other.numbers}
    differ = sum(abs(values - other.columns[name]) > 1e-9 for name, values in one.columns.items())
    return Difference(numbers, _percentiles(gaps), tuple(int(row) for row in (differ > 0).nonzero()[0]))


def confusion(found: Evaluation) -> dict[str, dict[str, int]]:
    """Of each class how often each answer was found in its place; nothing of what tells no classes apart."""
    from collections import Counter

    if found.scores.columns.keys() != {"right", "found"}:
        return {}
    pairs = Counter((row["right"], row["answered"]) for row in found.scores.shown)
    return {
        right: {answer: n for (one, answer), n in sorted(pairs.items()) if one == right}
        for right in sorted({right for right, _ in pairs})
    }


def _rows(evaluator: Evaluator, subject: Subject) -> Dataset:
    """The evaluator's data, or the held-out rows of the run, as a row type that it reads."""
    from smolrecipes.assemble import load_rows
    from smolrecipes.data.rows import convert, make
    from smolrecipes.named import named

    if not evaluator.rows:
        return make("text", [])
    data = evaluator.data
    if isinstance(data, str):
        found = named("data", data, f"{evaluator.name}.data")
        data = found.component(**found.options)  # type: ignore[assignment]
    if isinstance(data, Data):
        return convert(data.load(), evaluator.rows, type(evaluator).__name__)[0]
    recipe = recipe_of(subject.folder) if subject.folder else None
    if recipe is None:
        raise RecipeError(f"{evaluator.name}: {subject.folder} is no run, so no rows were held out; give it data")
    _check_unchanged(recipe, subject.folder.parent if subject.folder else Path())
    held_out = load_rows(recipe)[1]
    if held_out is None:
        raise RecipeError(f"{evaluator.name}: the run held out no rows (validation=0); give the evaluator data")
    return convert(held_out, evaluator.rows, type(evaluator).__name__)[0]


def _check_unchanged(recipe: Recipe, run: Path) -> None:
    """Of data that has changed since, other rows would be held out today, rows that were trained on among them."""
    from smolrecipes import lineage

    then = lineage.read(run / "lineage.json")["parts"]
    now = {name: part.fingerprint() for name, part in recipe.children()}
    changed = [name for name in ("data", "validation") if name in now and then.get(name) != now[name]]
    if changed:
        raise RecipeError(
            f"{run}: the {changed[0]} is not what it was when the model was trained, so nobody knows which rows were held "
            "out; give the evaluator data"
        )


def _drawn(tables: list[dict[str, NDArray[Any]]], seed: int) -> list[list[dict[str, NDArray[Any]]]]:
    """Rows drawn with replacement, the same of all tables, SAMPLES times."""
    import numpy as np

    rng = np.random.default_rng(seed)
    size = len(next(iter(tables[0].values()), ()))
    draws = [rng.integers(size, size=size) for _ in range(SAMPLES)] if size else []
    return [[{name: values[rows] for name, values in table.items()} for rows in draws] for table in tables]


def _percentiles(samples: list[dict[str, float]]) -> dict[str, Interval]:
    import numpy as np

    names = samples[0] if samples else {}
    ends = {name: np.nanpercentile([one.get(name, np.nan) for one in samples], (2.5, 97.5)) for name in names}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def record(found: Evaluation) -> str:
    """An evaluation as JSON: the numbers, and a line's worth for each row."""
    shown = found.scores.shown or [{} for _ in found.origins]
    values = {name: column.tolist() for name, column in found.columns.items()}
    rows = [
        {"origin": origin, **told, **{name: column[row] for name, column in values.items()}}
        for row, (origin, told) in enumerate(zip(found.origins, shown))
    ]
    return json.dumps({"evaluator": repr(found.evaluator), "numbers": found.numbers, "rows": rows}, ensure_ascii=False)
