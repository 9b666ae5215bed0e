"""The data card: its numbers are those of the steps, what is shown cannot break the page, its code makes the same data."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import Chats, DropDuplicates, Files, FixText, Mix, Recipe, Toy, run
from smolrecipes.assemble import load_rows
from smolrecipes.cache import kept_in
from smolrecipes.cards import trail
from smolrecipes.cards.card import Card, card
from smolrecipes.cards.code import code
from smolrecipes.cards.difference import by_lines, difference, pieces
from smolrecipes.cards.markdown import fenced, header, markdown, size, table
from smolrecipes.cards.page import html
from smolrecipes.cards.trail import leave
from smolrecipes.kinds import Data
from smolrecipes.load import load_recipe
from smolrecipes.pipeline.report import LONG
from smolrecipes.profile.lengths import beside, histogram

EVIL = "it doesnâ€™t </div><script>alert(1)</script> | a ``` fence \x07 here"
ROWS = [
    "A plain row of several words.",
    EVIL,
    "Another row.",
    "a plain row OF several words!",
    "Third row, longer than that.",
]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Five rows: one is mended, one dropped."""
    text = "".join(json.dumps({"text": row, "id": 1}) + "\n" for row in ROWS)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    return Files(str(tmp_path / "rows.jsonl")).pipe(FixText(), DropDuplicates())


def made(data: Data, folder: Path, title: str = "Rows") -> Card:
    with kept_in(folder / "kept"):
        rows = data.load()
        return card([data], {"train": rows}, title, rows.info.description.splitlines())


def test_the_numbers_are_those_of_the_steps(data: Data, tmp_path: Path) -> None:
    found = made(data, tmp_path)
    (pipeline,) = found.pipelines
    _, lines = pipeline.steps()
    assert [line[:5] for line in lines] == [
        ("read", "5", "5", "0", "0"),
        ("FixText()", "5", "5", "1", "0"),
        ("DropDuplicates()", "5", "4", "0", "1"),
    ]
    assert (found.rows, found.kind, found.columns) == (4, "text", ("text", "origin"))
    assert sorted(pipeline.before.characters) == sorted(map(len, ROWS)) and len(pipeline.after.characters) == 4
    assert [*found.measured()] == ["before the steps", "after the steps"]  # all rows are those after the steps
    text = markdown(found)
    assert (
        "4 rows of the type text, prepared in 2 steps" in text and "1 row was dropped on the way, 1 change made" in text
    )
    assert "rows.jsonl: 5 rows; text; id ignored" in text.replace("\\", "") and "**To be filled in.**" in text
    assert found.fingerprint == data.fingerprint() and f"`{found.fingerprint}`" in text


class Strict(HTMLParser):
    """Every tag is closed in its order; what is fetched or run is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[Any] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.outside += [tag] * (tag in ("script", "link", "img", "iframe"))
        self.outside += [value for name, value in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_nothing_in_a_text_becomes_a_tag(data: Data, tmp_path: Path) -> None:
    page, parser = html(made(data, tmp_path, title="<b>Rows</b>")), Strict()
    parser.feed(page)
    assert not parser.open and not parser.outside
    assert "alert(1)" in parser.text and "<b>Rows</b>" in parser.text
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    assert "<del>" in page and "<ins>" in page and "\x07" not in page


def test_markdown_is_whole_whatever_the_texts_spell(data: Data, tmp_path: Path) -> None:
    text = markdown(made(data, tmp_path))
    assert "````diff\n" in text and "<script>" not in re.sub(r"(`{3,})diff\n.*?\n\1", "", text, flags=re.DOTALL)
    assert "\n- it doesnâ€™t " in text and "\n+ it doesn’t " in text and "\x07" not in text
    assert table(("a", "b"), [("x | y\nz", "<i>")]).splitlines()[-1] == r"| x \| y z | &lt;i> |"


def test_the_header_is_what_the_hub_reads(data: Data, tmp_path: Path) -> None:
    text = header(made(data, tmp_path, 'A "title": x'), [{"name": "text", "dtype": "string"}])
    found = yaml.safe_load(text.split("---")[1])
    assert found["pretty_name"] == 'A "title": x' and found["size_categories"] == ["n<1K"]
    assert found["tags"] == ["smolrecipes", "text"] and "license" not in found and "# license: to be filled in" in text
    assert found["dataset_info"]["features"] == [{"name": "text", "dtype": "string"}]


@pytest.mark.parametrize(
    ("rows", "name"), [(999, "n<1K"), (1_000, "1K<n<10K"), (10**7 - 1, "1M<n<10M"), (10**7, "n>10M")]
)
def test_sizes_as_the_hub_names_them(rows: int, name: str) -> None:
    assert size(rows) == name


@pytest.mark.parametrize(
    "data",
    [
        Files("a.jsonl", columns={"text": "body's"}).pipe(FixText(quotes=True), DropDuplicates("lines", least=3)),
        Toy("chat", rows=5),
        Mix((Toy("stories").pipe(FixText()), Files(("a.txt", "b.txt"))), weights=(3, 1)),
        Chats(Toy("reviews", rows=9).pipe(DropDuplicates()), answers={"1": "good"}),
    ],
    ids=lambda data: data.name,
)
def test_the_code_makes_the_same_data(data: Data) -> None:
    names: dict[str, Any] = {}
    exec(code(data), names)
    assert names["data"] == data


def test_passwords_do_not_show(tmp_path: Path) -> None:
    assert "secret" not in code(Files("https://me:secret@example.org/a.jsonl").pipe(FixText()))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_difference_is_both_texts(one: str, other: str) -> None:
    found = difference(one, other)
    assert "".join(piece.text for piece in found if piece.kind != "added") == one
    assert "".join(piece.text for piece in found if piece.kind != "cut") == other
    lines = by_lines(found)
    assert "\n".join(line[2:] for line in lines if line[0] != "+") == one
    assert "\n".join(line[2:] for line in lines if line[0] != "-") == other


def test_where_an_example_was_cut_is_no_difference() -> None:
    words = "word " * 100
    found = pieces({"before": f"bad{words}"[:LONG], "after": f"good {words}"[:LONG]})
    assert [piece.kind for piece in found if "word" not in piece.text.split()[:1] or piece.kind != "same"] and found[
        -1
    ].kind == "same"
    assert pieces({"before": "a b", "after": "a c"})[-1].kind == "added"


@given(st.text())
def test_nothing_ends_a_fence(text: str) -> None:
    first, *_, last = fenced(text).split("\n")
    assert set(first) == {"`"} and first == last and first not in text


@given(st.lists(st.integers(0, 10**9 - 1)), st.lists(st.integers(0, 10**9 - 1)))
def test_histograms_count_everything_once(one: list[int], other: list[int]) -> None:
    both = beside(histogram(one), histogram(other))
    assert [sum(counts[side] for counts in both.values()) for side in (0, 1)] == [len(one), len(other)]
    assert not both or (any(next(iter(both.values()))) and any([*both.values()][-1]))


def test_pipelines_inside_others_are_told_and_plain_data_has_none(data: Data, tmp_path: Path) -> None:
    mixed = Mix((data, Toy("stories", rows=4)))
    inside = made(mixed.pipe(DropDuplicates()), tmp_path)
    assert [len(pipeline.stages) for pipeline in inside.pipelines] == [3, 2]
    assert inside.pipelines[-1].stages[0].report.rows_out == 8
    plain = made(Toy("stories", rows=4), tmp_path)
    assert not plain.pipelines and plain.rows == 4 and "## Steps" not in markdown(plain)
    assert [*plain.measured()] == ["all rows"] and "rows by characters" in html(plain)


def test_files_of_one_name_are_told_apart_as_they_were_when_rows_were_made(tmp_path: Path) -> None:
    """Else every step would be made and kept again, and the lineage would tell of other rows."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jsonl").write_text(f'{{"text": "a row of {name}"}}\n', encoding="utf-8")
    one, two = (Files(str(tmp_path / name / "x.jsonl")).pipe(FixText()) for name in "ab")
    for data, validation in ((Mix((one, two)), 0), (one, two)):
        recipe: Recipe = load_recipe("pretrain_clm", []).replace(data=data, validation=validation)
        with kept_in(tmp_path / f"kept{validation!r:.4}"):
            load_rows(recipe)
            folders = set((tmp_path / f"kept{validation!r:.4}").rglob("*"))
            steps = trail.made(recipe)
            assert set((tmp_path / f"kept{validation!r:.4}").rglob("*")) == folders
        keys = [step["key"] for line in steps for step in line]
        assert len(keys) == 4 and all(any(path.name.endswith(key) for path in folders) for key in keys)


def test_a_run_keeps_the_card_and_a_summary(data: Data, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = ["model.hidden=16", "model.layers=1", "model.heads=2", "model.kv_heads=1", "decoding.max_new_tokens=1"]
    short = ["training.epochs=none", "training.steps=1", "training.max_length=32", "training.device=cpu"]
    recipe: Recipe = load_recipe("pretrain_clm", [*small, *short, "tokenizer.vocab_size=300", "validation=0"])
    mixed = Mix((data, Toy("stories", rows=60)))
    finished = run(recipe.replace(data=mixed), runs=tmp_path / "runs")
    (steps,) = json.loads(finished.lineage.read_text(encoding="utf-8"))["data"]
    assert [(one["rows_in"], one["rows_out"], one["changed"], one["dropped"]) for one in steps] == [
        (5, 5, 0, 0), (5, 5, 1, 0), (5, 4, 0, 1),
    ]  # fmt: skip
    assert len({one["key"] for one in steps}) == 3 and steps[1]["step"] == "FixText()"
    assert "64 rows of the type text" in (finished.folder / "data.md").read_text(encoding="utf-8")
    assert "<!doctype html>" in (finished.folder / "data.html").read_text(encoding="utf-8")
    assert "\n  drop_duplicates: 4 of 5 rows" in capfd.readouterr().out
    (tmp_path / "other").mkdir()
    leave(tmp_path / "other", recipe, {}, ())  # its data has no steps
    assert not [*(tmp_path / "other").iterdir()]
