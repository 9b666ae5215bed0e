"""A recipe file for one's own data: what its rows are decides the objective, how long they are decides the length."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from datasets import Dataset

    from smolrecipes.kinds import Exporter
    from smolrecipes.recipe import Recipe

LONGEST = 2048
"""Tokens a row may have at the most where nothing else limits it."""
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
    length: int = 0
    unknown: str = field(default="")
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
        found.length = _length(found)
    except RecipeError as error:
        found.length, found.unknown = 1024, str(error)
    return found


def _length(found: Plan) -> int:
    """As many tokens as the longest of some rows has, in whole 64s."""
    from smolrecipes.check.subject import read

    subject = read(_draft(found))
    longest = max((_tokens(example) for _, example in subject.sample if example is not None), default=LONGEST)
    return min(LONGEST, -(-longest // 64) * 64)


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
    return max(len(value) for name, value in example.items() if name.endswith("ids"))


def expected(found: Plan, target: Path) -> list[str]:
    """Rows, and what training is expected to take of time and memory; or why that is not known."""
    from smolrecipes.check.check import deeper, light
    from smolrecipes.load import load_recipe

    told = [f"rows     {len(found.rows):,} ({found.kind}), {found.length:,} tokens at the most"]
    if found.unknown:
        return [*told, f"not measured: {found.unknown}", f"once the model is here: smolrecipes check --deep {target}"]
    findings, subject = light(load_recipe(str(target), []), Path("runs") / ".cache")
    more, notes = deeper(subject) if subject is not None else ([], [])
    return [*told, *notes, *(f"{one.level}: {one.code}: {one.sentence}" for one in [*findings, *more])]
