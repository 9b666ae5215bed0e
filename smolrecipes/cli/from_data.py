"""A recipe file for one's own data: what its rows are decides the objective, how long they are decides the length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError
from smolrecipes.hub import NotHere

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.kinds import Exporter
    from smolrecipes.recipe import Recipe

LONGEST, GUESS = 2048, 1024
"""Tokens a row may have at the most where nothing else limits it, and where the model that would tell is not here."""
MOST = 400
"""Rows of the most letters that are made into tokens, to find the one of the most tokens."""
OBJECTIVES = {"messages": "SFT", "preference": "ORPO", "text": "CLM"}
"""What is learned from rows of each type."""
TEXT = '''"""{title}"""

from smolrecipes import {names}
{imports}
recipe = Recipe(
    model={model},
    data={data!r},
    objective={objective}(),
    adapter=LoRA(r=16, alpha=32),
    training=Training(epochs={epochs}, global_batch_size=16, learning_rate={rate}, max_length={length}),
{more})
'''


@dataclass
class Plan:
    """What a recipe file says, before it is written."""

    data: str
    model: str
    exporters: list[Exporter]
    rows: Dataset
    kind: str
    length: int = GUESS
    cut: bool = False
    """Whether some rows are longer."""
    unknown: str = ""
    """Why the rows' length is not known."""

    @property
    def shipped(self) -> bool:
        """Whether the model is that of a recipe that is installed."""
        from smolrecipes.registry import registry

        return self.model in registry().recipes()

    def text(self) -> str:
        """The recipe file."""
        parts = ["LoRA", "Recipe", "Training", OBJECTIVES[self.kind]]
        more = []
        if self.kind == "messages" and any(row["tools"] for row in self.rows.select(range(min(200, len(self.rows))))):
            parts.append("FunctionCalls")
            more.append("    evaluators=(FunctionCalls(),),\n")
        if self.exporters:
            parts += [type(one).__name__ for one in self.exporters]
            comma = "," if len(self.exporters) == 1 else ""
            more.append(f"    exporters=({', '.join(map(repr, self.exporters))}{comma}),\n")
        imports = f"from {self._module()} import recipe as base\n" if self.shipped else ""
        parts += ["Trained"] if self.shipped else []
        title = f"{OBJECTIVES[self.kind]} on {Path(self.data).name}, with a LoRA over {self.model}."
        return TEXT.format(
            title=title, names=", ".join(sorted(set(parts), key=str.lower)), imports=imports, data=self.data,
            model="Trained(base)" if self.shipped else repr(self.model), objective=OBJECTIVES[self.kind],
            epochs=3 if len(self.rows) < 5_000 else 1, rate="2e-3" if self.shipped else "2e-4", length=self.length,
            more="".join(more),
        )  # fmt: skip

    def _module(self) -> str:
        from smolrecipes.registry import registry

        return registry().recipes()[self.model]


def plan(data: str, model: str, to: list[str]) -> Plan:
    """Reads the data and, where the model is here, how long its rows are; RecipeError for rows that no model answers by."""
    from smolrecipes.cli.export import exporters
    from smolrecipes.data.files import Files
    from smolrecipes.data.rows import row_type

    rows = Files(data).load()
    kind = row_type(rows)
    if kind not in OBJECTIVES:
        raise RecipeError(
            f"--data {data}: these are {kind} rows; new writes recipes for conversations, preferences and texts (start from "
            "another recipe: new NAME --from finetune_sentiment)"
        )
    found = Plan(data, model, exporters(to, []), rows, kind)
    try:
        found.length, found.cut = _length(found)
    except NotHere as error:
        found.unknown = str(error)
    return found


def _length(found: Plan) -> tuple[int, bool]:
    """As many tokens as the longest row has, in whole 64s, at most LONGEST; and whether a row has more."""
    from smolrecipes.check.subject import read
    from smolrecipes.workers import examples

    subject = read(_draft(found))
    made = [one for one in examples(subject.objective, _largest(found.rows), subject.tokenizer, LONGEST) if one]
    longest = max(map(_tokens, made), default=LONGEST)
    return min(LONGEST, -(-longest // 64) * 64), longest > LONGEST or any(one.get("cut") for one in made)


def _largest(rows: Dataset) -> list[dict[str, Any]]:
    """The rows of the most letters; the row of the most tokens is all but certainly one of them."""
    from smolrecipes.check.subject import beginning
    from smolrecipes.data.rows import each

    letters = [len(str(row)) for row in each(rows)]
    return [beginning(rows[index]) for index in sorted(range(len(rows)), key=letters.__getitem__)[-MOST:]]


def _draft(found: Plan) -> Recipe:
    """The recipe as far as its rows' length depends on it."""
    from smolrecipes.architectures.trained import Trained
    from smolrecipes.load import load_recipe
    from smolrecipes.override import resolve
    from smolrecipes.recipe import Recipe, Training
    from smolrecipes.registry import registry

    objective: Any = registry().find("objective", OBJECTIVES[found.kind].lower())
    model: Any = Trained(load_recipe(found.model, [])) if found.shipped else found.model
    return resolve(Recipe(model=model, data=found.data, objective=objective(), training=Training(max_length=LONGEST)))


def _tokens(example: dict[str, Any]) -> int:
    """Of the longest of its sequences: a preference has two."""
    from smolrecipes.check.labels import sequences

    return max(len(ids) for ids, _ in sequences(example))
