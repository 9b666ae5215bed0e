"""A pipeline's stages: made once, gone on from where they were stopped, the same in any pieces."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smolrecipes import (
    DropDuplicates,
    Files,
    FixText,
    KeepQuality,
    Outcome,
    ReadTranscripts,
    RecipeError,
    Toy,
    Transform,
)
from smolrecipes.pipeline import shards
from smolrecipes.pipeline.stages import Stage, prepared

ROOT = Path(__file__).parents[2]


class Shout(Transform, name="shout"):
    """Capitals, and no row that says nothing."""

    def treat(self, row):
        row["text"] = row["text"].upper()
        return Outcome(row, ("is louder",)) if row["text"].strip(".") else Outcome(None, ("says nothing",))


class Silent(Transform, name="silent"):
    """A step with a mistake in it."""

    outcomes: int = 0

    def apply(self, rows, known):
        rows = list(rows)
        return iter([Outcome(rows[0])] * (self.outcomes * len(rows)))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def corpus(count: int = 400, files: int = 3) -> Files:
    """Rows of which every fifth is `...` and every seventh is said again in the next file."""
    for file in range(files):
        lines = [
            {"text": "..." if n % 5 == 0 else f"row {n if n % 7 == 0 else f'{n} of file {file}'}"} for n in range(count)
        ]
        Path(f"{file}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Files("*.jsonl")


def small(monkeypatch) -> None:
    """Shards of a few rows."""
    monkeypatch.setattr(shards, "ROWS", 50)


def test_rows_go_through_the_steps_and_are_counted(monkeypatch):
    small(monkeypatch)
    data = corpus().pipe(Shout(), DropDuplicates())
    stage = prepared(data)
    read, shouted, kept = stage.line
    assert read.report.rows_in == read.report.rows_out == 1200 and len(read.shards) == 24
    assert shouted.report.reasons == {"is louder": 960, "says nothing": 240}
    assert (shouted.report.rows_out, shouted.report.changed, shouted.report.dropped) == (960, 960, 240)
    again = sum(n % 5 != 0 for n in range(0, 400, 7))
    assert kept.report.reasons == {"was there before": 2 * again}
    rows = data.load()
    assert len(rows) == 960 - 2 * again == kept.report.rows_out
    assert rows[0] == {"text": "ROW 1 OF FILE 0", "origin": "0.jsonl:2"}
    assert sum(len(text) for text in rows["text"]) == kept.report.bytes_out
    assert rows.info.description.splitlines()[-1] == f"drop_duplicates: {len(rows)} of 960 rows"
    examples = shouted.report.examples
    assert len(examples) == 10 and {one["reason"] for one in examples} == {"is louder", "says nothing"}
    silent = [one for one in examples if one["reason"] == "says nothing"]
    assert silent[0] == {"origin": "0.jsonl:1", "reason": "says nothing", "before": "..."}
    assert all("after" not in one for one in silent)
    assert all(one["after"] == one["before"].upper() != one["before"] for one in examples if one not in silent)


def test_a_change_in_the_row_that_was_given_is_seen(monkeypatch):
    assert prepared(corpus(5, 1).pipe(Shout())).report.changed == 4


def test_only_what_follows_a_change_runs_again(monkeypatch):
    data = corpus()
    first = prepared(data.pipe(Shout(), DropDuplicates()))
    made = {path: path.stat().st_mtime_ns for path in Path("runs/.cache").rglob("*.arrow")}
    second = prepared(data.pipe(Shout(), DropDuplicates("lines", least=2)))
    assert second.before == first.before and second.folder != first.folder
    assert made.items() <= {path: path.stat().st_mtime_ns for path in Path("runs/.cache").rglob("*.arrow")}.items()
    Path("0.jsonl").write_text('{"text": "another"}\n')
    third = prepared(Files("*.jsonl").pipe(Shout(), DropDuplicates()))
    assert third.line[0].folder != first.line[0].folder and len(third.load()) < len(first.load())


def test_pieces_and_processes_change_nothing(monkeypatch):
    data = corpus().pipe(Shout(), DropDuplicates(), DropDuplicates("lines", least=1))
    whole = prepared(data)
    small(monkeypatch)
    for processes in (1, 3):
        monkeypatch.setattr("smolrecipes.pipeline.stages.cores", lambda processes=processes: processes)
        monkeypatch.setattr(
            "smolrecipes.cache._place", type("", (), {"get": lambda self, n=processes: Path(f"cache{n}")})()
        )
        pieces = prepared(data)
        assert len(pieces.shards) == 24
        assert pieces.load()[:] == whole.load()[:]
        assert facts(pieces) == facts(whole)


def facts(stage: Stage) -> list:
    return [
        {name: value for name, value in one.report.facts().items() if name not in ("seconds", "examples")}
        for one in stage.line
    ]


def test_parts_of_files_are_the_files(monkeypatch):
    monkeypatch.setattr("smolrecipes.data.files.PART", 5_000)
    Path("a").mkdir()
    data = corpus()
    Path("a/0.jsonl").write_text(Path("0.jsonl").read_text())
    Path("z.txt").write_text("one line\nanother\n")
    data = Files(["**/*.jsonl", "z.txt"], rows="lines")
    assert len(data.parts()) > 2
    rows = prepared(data.pipe(Shout())).line[0].load()
    assert rows[:] == data.load()[:] and rows["origin"][0] == "0.jsonl:1" and rows["origin"][400] == "1.jsonl:1"


@pytest.mark.parametrize(
    ("outcomes", "said"), [(0, "no outcome for 0.jsonl:1"), (2, "more outcomes than there are rows")]
)
def test_a_step_gives_one_outcome_for_each_row(outcomes, said):
    with pytest.raises(RecipeError, match=said):
        prepared(corpus(3, 1).pipe(Silent(outcomes=outcomes)))


def test_what_is_no_step_is_a_sentence():
    data = Files("a.txt")
    for given, said in (
        (FixText, "write FixText\\(\\) for FixText"),
        ("fix_text", "not 'fix_text'"),
        ([FixText()], "one after the other"),
    ):
        with pytest.raises(RecipeError, match=said):
            data.pipe(given)
    with pytest.raises(RecipeError, match="write FixText"):
        data.pipe(FixText()).pipe(FixText)
    with pytest.raises(RecipeError, match="did you mean 'gopher'"):
        KeepQuality("gohper")


def test_a_step_for_other_rows_is_refused():
    with pytest.raises(RecipeError, match="read_transcripts reads text rows, and these are labelled rows"):
        Toy("reviews", rows=3).pipe(ReadTranscripts()).load()


def test_a_step_whose_package_is_missing_is_refused_before_anything_is_read():
    class Rare(Shout, name="rare"):
        packages = ("not_there_at_all",)

    with pytest.raises(RecipeError, match=r"rare needs not_there_at_all.*pip install 'smolrecipes\[data\]'"):
        Files("missing.txt").pipe(Rare()).load()


def test_nothing_left_is_a_sentence():
    Path("a.txt").write_text("...")
    with pytest.raises(
        RecipeError, match=r"shout: it leaves none of 1 rows; the most frequent reason: says nothing \(1\)"
    ):
        Files("a.txt").pipe(Shout()).load()


def test_a_folder_that_cannot_be_written_is_a_sentence(monkeypatch):
    Path("runs").write_text("a file")
    with pytest.raises(RecipeError, match="cannot be written"):
        corpus(3, 1).pipe(FixText()).load()


KILLED = """
import sys, time
from smolrecipes import DropDuplicates, Files, FixText
from smolrecipes.pipeline import shards
shards.ROWS = 20
stored = shards.store
def slowly(shard, made):
    time.sleep(0.02)
    stored(shard, made)
shards.store = slowly
data = Files("*.jsonl").pipe(FixText(), DropDuplicates(), DropDuplicates("lines", least=2))
print("begun", flush=True)
print(data.load()["text"][:])
"""


def test_killed_and_started_again_nothing_is_there_twice_or_lost():
    corpus(100)
    command = [sys.executable, "-c", KILLED]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.splitlines()[-1]
    Path("runs").rename("uninterrupted")
    draw = random.Random(0)
    for _ in range(4):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.1 + draw.random() * 0.6)
            os.killpg(child.pid, signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == whole
    assert {p.relative_to("runs") for p in Path("runs").rglob("*.arrow")} == {
        p.relative_to("uninterrupted") for p in Path("uninterrupted").rglob("*.arrow")
    }
    assert not list(Path("runs").rglob("*.partial"))


@pytest.mark.parametrize(
    ("file", "kept"), [("read-*/*.arrow", 30), ("fix_text-*/*.arrow", 200), ("fix_text-*/0*.json", 5)]
)
def test_a_damaged_shard_is_a_sentence(here, file: str, kept: int) -> None:
    """And what it says to do mends it."""
    import shutil

    data = corpus(60, 1).pipe(FixText())
    first = prepared(data).load()[:]
    (broken, *_) = here.rglob(file)
    broken.write_bytes(broken.read_bytes()[:kept])
    for folder in here.rglob("fix_text-*") if file.startswith("read") else ():
        shutil.rmtree(folder)
    with pytest.raises(RecipeError, match=f"{broken.name} is damaged .*; remove {broken.parent}, and the same command"):
        prepared(data).load()
    shutil.rmtree(broken.parent)
    assert prepared(data).load()[:] == first
