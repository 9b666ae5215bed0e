"""How stages are made: what is lost is made again, what decides them names them, and only our own writing is blamed."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from pathlib import Path

import pytest

from smolrecipes import Balance, DropDuplicates, Files, FixText, Outcome, RecipeError, Sample, Transform
from smolrecipes.cache import kept_in
from smolrecipes.data.paths import told_apart
from smolrecipes.files import abandoned, write_text
from smolrecipes.pipeline import keys, making, shards
from smolrecipes.pipeline.alike import alike
from smolrecipes.pipeline.facts import read_facts, write_facts
from smolrecipes.pipeline.pool import each
from smolrecipes.pipeline.stages import prepared


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shards, "ROWS", 50)
    with kept_in(tmp_path / "cache"):
        yield tmp_path


def write(name="a.jsonl", count=100, **more) -> Files:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    lines = [{"text": f"row {n % 80}", **{key: str(n % 2) for key in more}} for n in range(count)]
    Path(name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Files(name)


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("part", ["shard", "report", "part-00000.json"])
def test_what_is_lost_is_made_again(stage, part):
    data = write(label=True).pipe(FixText(), DropDuplicates(), Balance("label"))
    before = data.load()[:]
    made = prepared(data).line[stage]
    lost = made.shards[0] if part == "shard" else shards.told(made.shards[1])
    if part.startswith("part"):
        lost = prepared(data).line[0].folder / part
    lost.unlink()
    if part == "shard":
        with pytest.raises(RecipeError, match="the file is gone; the same command makes it again"):
            made.load()
    assert data.load()[:] == before and lost.exists()


def test_a_stage_is_not_whole_while_something_is_made_again(monkeypatch):
    data = write(label=True).pipe(FixText())
    read = prepared(data).line[0]
    read.shards[0].unlink()
    seen = []

    def looked(folder, made, *, spelt):
        seen.append(making.finished(folder))
        alike(folder, made, spelt=spelt)

    monkeypatch.setattr(making, "alike", looked)
    data.load()
    assert seen == [False] and making.finished(read.folder)


def test_a_shard_of_which_nothing_was_left_is_not_lost():
    data = write().pipe(DropDuplicates())
    Path("a.jsonl").write_text('{"text": "again"}\n' * 100)
    stage = prepared(data)
    made = stage.folder.stat().st_mtime_ns
    assert not stage.shards[1].exists() and len(data.load()) == 1 and stage.folder.stat().st_mtime_ns == made


def test_what_was_only_on_the_way_is_gone_once_a_stage_is_whole():
    stage = prepared(write().pipe(DropDuplicates(), Sample(share=0.5)))
    assert {file.suffix or file.name for one in stage.line for file in one.folder.iterdir()} <= {
        ".arrow",
        ".json",
        ".lock",
    }


def test_versions_of_what_reads_name_the_source(monkeypatch):
    Path("a.html").write_text("<p>text</p>")
    sources = [Files("a.html"), write("b.jsonl").replace(encoding="detect"), write("c.jsonl")]
    before = [keys.of_source(source) for source in (*sources, sources[2].pipe(FixText()))]
    monkeypatch.setattr(keys, "version", lambda name: "99")
    changed = [now != then for now, then in zip(map(keys.of_source, sources), before, strict=False)]
    assert changed == [True, True, False]
    assert sources[0].pipe(FixText()).fingerprint() == sources[0].pipe(FixText()).fingerprint()


def test_packages_are_named_as_they_are_imported():
    class Yaml(Transform, name="yaml"):
        packages = ("yaml",)

        def treat(self, row):
            return Outcome(row)

    assert [one.split()[0] for one in keys.versions(Yaml.packages)] == ["PyYAML"]
    assert len(write().pipe(Yaml()).load()) == 100


def test_origins_name_the_file_as_it_is_called_now():
    data = write("a/x.jsonl", 3).pipe(FixText())
    write("b/x.jsonl", 3)
    assert data.load()["origin"][0] == "x.jsonl:1"
    with told_apart([Path("a/x.jsonl"), Path("b/x.jsonl")]):
        assert data.load()["origin"][0] == "a/x.jsonl:1"
    Path("a/x.jsonl").rename("a/y.jsonl")
    named = Files("a/y.jsonl").pipe(FixText())
    assert named.load()["origin"][0] == "y.jsonl:1" and "y.jsonl: 3 rows" in named.load().info.description
    assert Files("a/y.jsonl").identity() == Files("b/x.jsonl").identity(), "the same content is the same data"


class Opens(Transform, name="opens"):
    """Needs a file that is not there."""

    def treat(self, row):
        return Outcome(row, (Path("words.txt").read_text(),))


def test_a_file_that_a_step_lacks_is_no_failed_writing(monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"words\.txt"):
        write(count=3).pipe(Opens()).load()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("smolrecipes.files.flush", full)
    with pytest.raises(RecipeError, match=r"cannot be written \(No space left on device\)") as caught:
        write(count=3).pipe(FixText()).load()
    assert isinstance(caught.value.__cause__, OSError) and not list(Path("cache").rglob("*.partial"))


class Odd(Exception):
    """An error that pickle cannot bring back."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


class Raises:
    """A task that fails."""

    def __call__(self, index):
        raise Odd("this", "that")


def test_an_error_of_a_process_is_told_as_it_is():
    with pytest.raises(RecipeError, match=r"Odd: this and that \(line \d+ of .*test_making.py\)"):
        list(each(Raises(), 4, 2))


@pytest.mark.parametrize(("name", "needed"), [("decide", "survey"), ("inspect", "survey"), ("narrow", "inspect")])
def test_a_step_that_would_never_be_asked_is_refused(name, needed):
    class Deaf(Opens, name="deaf"):
        pass

    setattr(Deaf, name, lambda self, *given: given[0])
    with pytest.raises(RecipeError, match=f"deaf has `{name}` and no `{needed}`"):
        Files("missing.jsonl").pipe(Deaf()).load()


def test_facts_may_have_any_name():
    write_facts(Path("a.npz"), {"file": [1, 2], "allow_pickle": [0.5], "args": ["a"]})
    assert {name: value.tolist() for name, value in read_facts(Path("a.npz")).items()} == {
        "file": [1, 2],
        "allow_pickle": [0.5],
        "args": ["a"],
    }


def test_partial_files_of_others_stay(monkeypatch):
    data = write(count=3).pipe(FixText())
    stage = prepared(data)
    (stage.folder / "stage.json").unlink()
    mine = [stage.folder / f"00000.arrow~{host}.partial" for host in (f"{platform.node()}~{os.getpid()}~0", "far~1~0")]
    gone = stage.folder / f"00000.arrow~{platform.node()}~{2**22 + 1}~0.partial"
    old = stage.folder / "00001.arrow~far~1~0.partial"
    for file in (*mine, gone, old):
        file.write_text("begun")
    os.utime(old, (0, time.time() - 100_000))
    assert [abandoned(file) for file in (*mine, gone, old)] == [False, False, True, True]
    data.load()
    assert all(file.exists() for file in mine) and not gone.exists() and not old.exists()


def test_several_write_one_file_at_a_time():
    failed = []

    def work():
        try:
            for _ in range(50):
                write_text(Path("told.json"), "whole")
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and Path("told.json").read_text() == "whole" and not list(Path().glob("*.partial"))
