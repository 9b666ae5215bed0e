"""What others see of prepared rows: nothing that a step masks, and no credentials, whichever way a source is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from smolrecipes import DropDuplicates, Files, FixText, Keep, MaskPII, Mix, Toy
from smolrecipes.cache import kept_in
from smolrecipes.cards import folder
from smolrecipes.cards.card import card
from smolrecipes.cards.folder import Form
from smolrecipes.cards.markdown import header
from smolrecipes.cards.trail import leave, made
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Data
from smolrecipes.pipeline.report import OTHERS, REASONS, SHOWN, Report, merged
from smolrecipes.pipeline.stages import prepared
from smolrecipes.profile.profile import profile
from smolrecipes.secrets import hidden

MAIL = "jane@example.org"
ROWS = [f"Write to {MAIL} today, it doesnâ€™t hurt.", "Nothing here.", f"again: {MAIL}", f"again: {MAIL}"]
SIGNED = "https://bucket/a.jsonl?X-Amz-Credential=me%2F1&X-Amz-Signature=c0ffee77&sig=c0ffee88"


@pytest.fixture
def source(tmp_path: Path) -> Files:
    """Rows with an address in them, one of which FixText mends and one of which is there twice."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in ROWS), encoding="utf-8")
    return Files(str(tmp_path / "rows.jsonl"))


def published(data: Data, to: Path) -> str:
    """All that is written of the rows but the rows."""
    with kept_in(to / "kept"):
        rows = data.load()
        made = card([data], {"train": rows}, "Rows", rows.info.description.splitlines())
        folder.write(to / "out", {"train": rows}, made, Form())
    return "".join((to / "out" / name).read_text(encoding="utf-8") for name in ("README.md", "card.html"))


@pytest.mark.parametrize("inside", [False, True], ids=["a pipeline", "one inside another"])
def test_nothing_that_is_masked_is_published(source: Files, inside: bool, tmp_path: Path) -> None:
    first = source.pipe(FixText(), DropDuplicates())
    data = Mix((first, source)).pipe(MaskPII()) if inside else first.pipe(MaskPII())
    told = published(data, tmp_path)
    assert "jane" not in told and "doesn" not in told and "example.org" not in told
    assert "e-mail masked" in told and "rows.jsonl:1: e-mail masked" in told.replace("\\", "")
    assert "Examples without their texts: MaskPII() takes out what others are not to see." in told
    assert "mended" in told or "was there before" in told  # why rows went, and which, is told of all steps
    with kept_in(tmp_path / "kept"):
        assert all("before" not in one for one in prepared(data).report.examples)  # type: ignore[arg-type]


def test_a_broken_row_is_told_without_its_text_where_texts_are_masked(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "fine"}\n{"text": "call 555-123-4567', encoding="utf-8")
    source = Files(str(tmp_path / "rows.jsonl"), broken="skip")
    assert "1 left out as broken: rows.jsonl:2" in (told := published(source.pipe(MaskPII()), tmp_path / "a"))
    assert "555-123" not in told
    assert "555-123" in published(source.pipe(FixText()), tmp_path / "b")


def test_texts_are_shown_where_nothing_is_masked(source: Files, tmp_path: Path) -> None:
    told = published(source.pipe(FixText()), tmp_path)
    assert "jane@example.org" in told and "without their texts" not in told


def test_what_a_run_keeps_shows_nothing_masked(source: Files, tmp_path: Path) -> None:
    data = source.pipe(FixText(), MaskPII())
    with kept_in(tmp_path / "kept"):
        rows = data.load()
        recipe: Any = type("Recipe", (), {"data": data, "validation": 0})
        leave(tmp_path, recipe, {"train": rows}, (f"data: {rows.info.description}",))
        assert "jane" not in json.dumps(made(recipe))
    for name in ("data.md", "data.html"):
        assert "jane" not in (tmp_path / name).read_text(encoding="utf-8")


def test_no_credentials_are_published(source: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"{SIGNED}&api_key=c0ffee99&token=hf_c0ffee_aAbBcCdDeE"
    monkeypatch.setattr("smolrecipes.data.paths._files", lambda path: [tmp_path / "rows.jsonl"])
    told = published(Mix((Files(address), source)).pipe(Keep(_no_token)), tmp_path)
    assert "c0ffee" not in told and "X-Amz-Signature=***" in told and "me%2F1" not in told
    assert "bucket/a.jsonl" in told


def test_no_credentials_are_in_a_profile(tmp_path: Path, source: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolrecipes.data.paths._files", lambda path: [tmp_path / "rows.jsonl"])
    told = json.dumps(profile(Mix((Files(SIGNED), source))))
    assert "bucket/a.jsonl" in told and "c0ffee" not in told


def _no_token(row: dict[str, Any]) -> bool:
    return "again" not in row["text"]


@pytest.mark.parametrize(
    "text",
    [
        "<p>https://h/a?token=c0ffee</p><p>more</p>",
        "<td>Files(&#x27;https://h/a?sig=c0ffee&#x27;)</td>",
        "Named(api_key='c0ff ee', rows=5)",
        "<pre>Named(secret=&#x27;c0ffee&#x27;, rows=5)</pre>",
    ],
)
def test_what_stands_around_a_secret_stays(text: str) -> None:
    told = hidden(text)
    assert "c0ff" not in told and "***" in told and "ee" not in told
    assert told.count("</") == text.count("</") and ("rows=5)" in told) == ("rows=5)" in text)
    assert hidden("design=5 sigma=3 signal=x") == "design=5 sigma=3 signal=x"


def test_languages_are_words_to_yaml(tmp_path: Path) -> None:
    rows = Toy("stories", rows=4).load()
    made = card([Toy("stories", rows=4)], {"train": rows}, "Rows", [])
    object.__setattr__(made, "languages", {"no": 3, "en": 1})
    assert yaml.safe_load(header(made, []).split("---")[1])["language"] == ["no", "en"]


def test_texts_are_measured_once_for_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def measured(rows: Any) -> int:
        asked.append(len(rows))
        return 3 * folder.BYTES

    monkeypatch.setattr(folder, "_bytes", measured)
    rows = Toy("stories", rows=9).load()
    folder.write(tmp_path / "out", {"train": rows}, card([Toy("stories")], {"train": rows}, "out", []), Form())
    assert asked == [9] and len([*(tmp_path / "out" / "data").iterdir()]) == 3


@pytest.mark.parametrize("text", ["[]", "5", '{"README.md": 5}', "{"])
def test_a_strange_manifest_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / ".smolrecipes.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="not written by this command"):
        folder.check(tmp_path, force=False)


def test_however_many_reasons_there_are_the_report_stays_small() -> None:
    def report(start: int) -> Report:
        found, rows = Report(), [{"text": f"row {n}", "origin": f"a:{n}"} for n in range(start, start + 1_000)]
        assert not [*found.watch(rows, Each(), {})]
        return found

    from smolrecipes.kinds import Outcome, Transform

    class Each(Transform, name="each_its_own"):
        """Drops each row for a reason of its own."""

        def treat(self, row: dict[str, Any]) -> Outcome:
            return Outcome(None, ("often" if row["origin"].endswith("7") else row["text"],))

    one = report(0)
    assert len(one.reasons) == REASONS + 1 and len(one.examples) <= SHOWN * (REASONS + 1)
    assert sum(one.reasons.values()) == 1_000 and one.reasons["often"] == 100
    both = merged([one, report(1_000)])
    assert len(both.reasons) == REASONS + 1 and sum(both.reasons.values()) == 2_000
    assert next(iter(both.reasons)) == "often" and [*both.reasons][-1] == OTHERS and len(both.examples) == SHOWN
