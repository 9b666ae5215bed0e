"""All text transforms: in a pipeline, on every row type, stored and read again, and in the table of docs/transforms.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from badinput import good

from smolrecipes import (
    CLM,
    DropLines,
    Files,
    FixText,
    Keep,
    KeepLanguages,
    KeepLength,
    KeepQuality,
    Llama,
    Map,
    MaskPII,
    Piped,
    Recipe,
    Training,
    Transform,
)
from smolrecipes.pipeline.stages import prepared
from smolrecipes.registry import registry
from smolrecipes.serialize import dumps, loads

PAGE = (Path(__file__).parents[2] / "docs" / "transforms.md").read_text(encoding="utf-8")
SENTENCE = "The old harbour was quiet in the morning, and {} people mended the nets that the storm had torn. "
STEPS: tuple[Transform, ...] = (
    FixText(),
    MaskPII(),
    DropLines(least=3, matching=(r"^#",), repeated=30, notices=True),
    KeepLength(100),
    KeepLanguages("en", "it"),
    KeepQuality("gopher", "gopher_repetition", "c4", "fineweb", rules={"min_doc_words": 20, "min_num_sentences": 2}),
)


def even(row: dict[str, Any]) -> bool:
    return int(row["origin"].split(":")[1]) % 2 == 0


def louder(row: dict[str, Any]) -> str:
    return str(row["text"]) + "!"


def corpus() -> None:
    numbers = ("seven", "eleven", "nine", "twelve", "twenty", "two", "many", "few")
    with Path("a.jsonl").open("w") as file:
        for n in range(40):
            text = (
                SENTENCE.format(numbers[n % 8])
                + f"Nobody knew that number {n} would come back to write to a{n}@mail.com. "
            )
            file.write(
                json.dumps({"text": f"Home | About us\n{text if n % 8 else 'Too short.'}\nWe use cookies here."}) + "\n"
            )


def test_they_work_one_after_the_other_in_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("smolrecipes.pipeline.stages.cores", lambda: 2)
    monkeypatch.setattr("smolrecipes.pipeline.shards.ROWS", 25)
    corpus()
    stage = prepared(Files("a.jsonl").pipe(*STEPS, Keep(even), Map(louder)))
    assert len(stage.shards) > 1
    reports = [one.report for one in stage.line[1:]]
    assert [(one.rows_in, one.dropped) for one in reports[:4]] == [(40, 0), (40, 0), (40, 5), (35, 0)]
    assert reports[1].reasons == {"e-mail masked": 35}
    assert reports[2].reasons["notices are cut"] == 35 and reports[2].reasons["no line of a text is left"] == 5
    text = stage.load()["text"][0]
    assert text.startswith("The old harbour") and text.endswith("to write to [e-mail].!")
    found = prepared(Files("a.jsonl").pipe(*STEPS))
    assert found.report.rows_out == 35 and not found.report.dropped


@pytest.mark.parametrize(
    "kind", ["text", "messages", "preference", "labelled", "tagged", "question", "pair", "mentions"]
)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_takes_rows_of_every_type(kind: str, step: Transform) -> None:
    row = {**good(kind, "word"), "origin": "a:1"}
    if kind == "preference":
        row |= {column: [{"role": "user", "content": row[column]}] for column in ("prompt", "chosen", "rejected")}
    before = json.dumps(row)
    (known,) = step.decide([step.survey(iter([row]))])
    (outcome,) = step.apply(iter([dict(row)]), known)
    assert json.dumps(row) == before
    stays = kind in ("text", "tagged", "question", "mentions")  # three words; spans point into the others
    why = {"keep_length": "fewer than 100 characters", "keep_quality": "gopher_short_doc"}
    why |= {} if stays else {"drop_lines": "no line of a text is left"}
    assert outcome.row == (None if step.name in why else row)
    assert outcome.row or outcome.reasons == (why[step.name],)


def test_a_stored_recipe_has_the_same_steps() -> None:
    data = Files("a.jsonl").pipe(*STEPS)
    recipe = Recipe(model=Llama(layers=1, hidden=32, heads=2), data=data, objective=CLM(), training=Training(steps=1))
    read = loads(dumps(recipe))
    assert read == recipe and isinstance(read.data, Piped)
    assert [one.identity() for one in read.data.steps] == [one.identity() for one in STEPS]


def row_of(step: type[Transform]) -> str:
    """Of the table: what it is called, whether it looks at all rows, and what it does, in its own words."""
    surveys = "all rows" if step.survey is not Transform.survey else "each row"
    what = " ".join(str(step.__doc__).split("\n\n")[0].split())
    return f"| `{step.__name__}` | {surveys} | {what} |"


@pytest.mark.parametrize(
    "step", [one for one, _ in registry().all() if one.kind == "transform"], ids=lambda one: one.name
)
def test_the_table_of_the_page_has_each(step: Any) -> None:
    assert row_of(step) in PAGE.splitlines(), f"the table of docs/transforms.md needs the line\n{row_of(step)}"


def test_the_page_names_no_option_that_there_is_not() -> None:
    for name, inside in re.findall(r"\b([A-Z]\w+)\(([^()\n]*)\)", PAGE):
        step = next((one for one, _ in registry().all() if one.__name__ == name), None)
        for given in re.findall(r"\b(\w+)=", inside) if step else ():
            assert given in step.options(), f"{name} has no option {given}"
