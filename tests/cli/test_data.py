"""`smolrecipes data`: what rows look like, what steps make of them, and a folder that everything reads back."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import datasets
import pytest
from ftfy import is_bad
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import Files, FixText, HubData, Toy
from smolrecipes.cards.card import card
from smolrecipes.cards.folder import Form, write
from smolrecipes.data.rows import each
from smolrecipes.data.toy import COLUMNS
from smolrecipes.profile.chats import Chats
from smolrecipes.profile.counts import MOST, OTHERS
from smolrecipes.profile.lengths import Lengths
from smolrecipes.profile.oddities import wrongly_decoded
from smolrecipes.profile.page import different, sentence
from smolrecipes.profile.profile import Profile, profile

TEXTS = [
    "The first text.",
    "The first text.",
    "",
    "It doesnâ€™t decode â€œwellâ€\x9d",
    "a \N{REPLACEMENT CHARACTER} b",
    "x" * 200,
]
STEPS = """
from smolrecipes import ByteBPE, CLM, DropDuplicates, Files, Llama, Recipe
recipe = Recipe(model=Llama(layers=1, hidden=32, heads=2), tokenizer=ByteBPE(vocab_size=300), objective=CLM(),
                data=Files("rows.jsonl").pipe(DropDuplicates()), validation=2)
"""


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def same(rows: Any) -> list[dict[str, Any]]:
    """The rows without where they are from."""
    return [
        {name: value for name, value in row.items() if name != "origin" and "language" not in name}
        for row in each(rows)
    ]


def test_a_profile_counts_and_says_where(cli: Any) -> None:
    Path("a.jsonl").write_text(lines(*({"body": text, "id": 1} for text in TEXTS)), encoding="utf-8")
    done = cli("data", "a.jsonl", "--line", "150")
    assert (done.code, done.err) == (0, "")
    assert "body, read as text; id ignored" in done.out and "body (text), id (int, ignored)" in done.out
    assert "6 rows of the type text" in done.out and "1 (16.7%) were there before" in done.out
    for odd, place in {
        "empty": 3,
        "looks wrongly decoded": 4,
        "replacement": 5,
        "a line over 150 characters": 6,
    }.items():
        (line,) = [line for line in done.out.splitlines() if line.startswith(f"odd       {odd}")]
        assert f"a.jsonl:{place}" in line
    (found,) = [json.loads(cli("data", "a.jsonl", "--json").out)]
    assert found["rows"] == 6 and found["bytes"] == sum(len(text.encode()) for text in TEXTS)
    assert found["duplicates"] == {"rows": 1, "share": 0.1667} and found["lengths"]["characters"]["most"] == 200
    assert sum(found["histogram"].values()) == 6 and found["sample"] == ""


def test_columns_are_those_of_the_first_file_with_rows(cli: Any) -> None:
    Path("rows").mkdir()
    Path("rows/a.jsonl").write_text("", encoding="utf-8")
    Path("rows/b.jsonl").write_text(lines({"text": "a row", "other": 1}), encoding="utf-8")
    done = cli("data", "rows", "data.broken=skip")
    assert done.code == 0 and "b.jsonl" in done.out, done.err


def test_what_a_template_meets(cli: Any) -> None:
    turns = [("system", "Be kind."), ("user", "Hello?"), ("user", "Hi?"), ("assistant", "Hello.")]
    chats = [{"messages": [{"role": role, "content": text} for role, text in some]} for some in (turns, turns[1:3])]
    Path("chats.jsonl").write_text(lines(*chats), encoding="utf-8")
    found = json.loads(cli("data", "chats.jsonl", "--json").out)
    assert found["conversations"]["roles"] == {"user": 4, "system": 1, "assistant": 1}
    assert found["conversations"]["turns"] == {"2": 1, "3": 1} and found["conversations"]["with a system message"] == 1
    assert found["oddities"]["turns out of order"]["rows"] == 2
    assert found["oddities"]["no answer of the assistant at the end"]["places"] == ["chats.jsonl:2"]
    out = cli("data", "toy:functions", "data.rows=40").out
    assert "with tools  40" in out and "functions called" in out


def test_labels_and_languages(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(cli("data", "toy:reviews", "data.rows=200", "data.languages=it", "--json").out)
    assert found["labels"].keys() == {"negative", "positive"} and sum(found["labels"].values()) == 200
    assert max(found["languages"], key=found["languages"].get) == "it"
    monkeypatch.setattr("smolrecipes.profile.languages.installed", lambda: False)
    assert "py3langid is not installed" in cli("data", "toy:reviews", "data.rows=20", "--html", "page.html").out
    assert "py3langid is not installed" in Path("page.html").read_text(encoding="utf-8")


def test_of_much_only_a_sample_is_looked_at_and_it_is_said(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolrecipes.profile.sample.BYTES", 2_000)
    Path("a.jsonl").write_text(lines(*({"text": f"{n} words"} for n in range(1000))), encoding="utf-8")
    found = profile(Files("a.jsonl"), 2_000)
    assert (
        200 < found["rows"] < 300 and found["sample"].startswith("a sample: the first") and "text" in found["read"][0]
    )
    assert "a sample: the first" in cli("data", "a.jsonl").out
    assert json.loads(cli("data", "a.jsonl", "--all", "--json").out)["rows"] == 1000


def test_texts_that_tell_languages_are_spread_over_all_rows() -> None:
    found = Profile()
    for number in range(5_000):
        found.add({"text": f"row {number}", "origin": f"a:{number}"})
    kept = [int(text.split()[1]) for text in found.some]
    assert 250 <= len(kept) < 1_000 and kept[-1] > 4_900 and len({b - a for a, b in zip(kept, kept[1:])}) == 1


def test_however_many_rows_there_are_the_counts_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolrecipes.profile.profile.SEEN", 700)
    found = Profile()
    for number in (*range(1_000), 0, 5, 999):
        found.add({"text": f"row {number}", "label": number / 7, "origin": f"a:{number}"})
    facts = found.facts()
    assert len(facts["labels"]) == MOST + 1 and sum(facts["labels"].values()) == 1_003
    assert [*facts["labels"]][-1] == OTHERS and different(facts["labels"]) == "over 500 different ones"
    assert facts["duplicates"] == {"rows": 2, "share": 0.002, "compared_with": 700} and len(found.seen) == 700
    assert "each compared with the first 700 different ones" in sentence({**facts, "sample": ""})
    chats = Chats()
    calls = [{"function": {"name": f"function {number}"}} for number in range(1_000)]
    chats.add({"messages": [{"role": "assistant", "content": "", "tool_calls": calls}]})
    assert len(chats.facts()["functions called"]) == MOST + 1


@given(st.text(st.characters(max_codepoint=127)), st.text(st.sampled_from("aÃ©â€™œ\x80 \n.,")))
def test_what_looks_wrongly_decoded_is_what_ftfy_says(plain: str, other: str) -> None:
    assert not is_bad(plain)  # so that it need not be asked
    assert wrongly_decoded(other) == any(map(is_bad, other.split("\n")))


def test_lengths_of_nothing() -> None:
    assert Lengths().table() == {"characters": {}, "words": {}}


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("task", COLUMNS)
def test_every_row_type_is_read_back(task: Any, form: Any, tmp_path: Path) -> None:
    rows, folder = Toy(task, rows=9).load(), tmp_path / "out"
    write(folder, {"train": rows}, card([Toy(task, rows=9)], {"train": rows}, task, [task]), Form(form, 4))
    assert len([*(folder / "data").iterdir()]) == 3
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert [*loaded] == ["train"] and [*loaded["train"]] == [*rows] and loaded["train"].features == rows.features
    (folder / "card.txt").write_text("no data", encoding="utf-8")
    assert same(Files(str(folder)).load()) == same(HubData(str(folder)).load()) == same(rows)


def test_what_is_written_again_is_not_read_from_a_cache(tmp_path: Path) -> None:
    for rows in (Toy("stories", rows=4).load(), Toy("stories", rows=4, seed=1).load()):
        write(tmp_path / "out", {"train": rows}, card([Toy("stories")], {"train": rows}, "out", []), Form())
        loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
        assert [*loaded] == [*rows]


def test_a_recipe_is_prepared_and_published(cli: Any) -> None:
    Path("rows.jsonl").write_text(lines(*({"text": f"Row {n // 2}, twice."} for n in range(40))), encoding="utf-8")
    Path("mine.py").write_text(STEPS, encoding="utf-8")
    told = cli("data", "mine.py", "--json")
    (steps,) = json.loads(told.out)["steps"]
    assert [step["dropped"] for step in steps] == [0, 20] and "drop_duplicates" in told.err
    assert [step["reasons"] for step in steps] == [{}, {"was there before": 20}]
    assert "DropDuplicates(): was there before 20" in cli("data", "mine.py", "--html", "card.html").out
    Path(f".out~{platform.node()}~{2**22 + 1}~0.partial").mkdir()
    done = cli("data", "mine.py", "--out", "out", "--shard-rows", "7")
    assert (done.code, done.err) == (0, "") and "train 18, validation 2" in done.out
    names = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file())
    shards = [f"data/train-{n:05}-of-00003.parquet" for n in range(3)]
    assert names == [".smolrecipes.json", "README.md", "card.html", *shards, "data/validation-00000-of-00001.parquet"]
    assert "**To be filled in.**" in Path("out/README.md").read_text(encoding="utf-8")
    both = [HubData("out", split=split).load()["text"] for split in ("train", "validation")]
    assert [len(each_) for each_ in both] == [18, 2] and len({text for side in both for text in side}) == 20
    Path("out/data/.DS_Store").write_bytes(b"\0")  # of whoever looked into the folder
    trained = Files("out").load()
    assert trained["text"][:] == both[0][:]  # what was held out stays so
    assert trained.info.description.endswith("out: the training rows alone; validation is left out")
    assert Files("out").pipe(FixText()).load()["text"][:] == both[0][:]
    assert Files("out/data/validation-*").load()["text"][:] == both[1][:]
    assert not [*Path().glob(".out*")]  # nothing is left of what was written aside, now or by one that was killed


def test_what_lies_there_is_not_lost(cli: Any) -> None:
    words = ("data", "toy:stories", "data.rows=5", "--out", "out")
    assert cli(*words).code == 0 and cli(*words, "--format", "jsonl").code == 0  # our own, as it was written: replaced
    assert [path.name for path in Path("out/data").iterdir()] == ["train-00000-of-00001.jsonl"]
    readme = Path("out/README.md")
    readme.write_text("license: mit", encoding="utf-8")
    done = cli(*words)
    assert done.code == 2 and done.err.startswith("error: --out out: README.md ") and done.err.count("\n") == 1
    assert readme.read_text(encoding="utf-8") == "license: mit"
    assert cli(*words, "--force").code == 0
    (old,) = Path().glob("out.*")
    assert (old / "README.md").read_text(encoding="utf-8") == "license: mit" and "Licence" in readme.read_text(
        encoding="utf-8"
    )
    Path("out/more.txt").write_text("mine", encoding="utf-8")
    assert "more.txt in it was not written by this command" in cli(*words).err
    Path("full").mkdir()
    Path("full/a.txt").write_text("mine", encoding="utf-8")
    assert "it is not empty, and not written by this command" in cli(*words[:-1], "full").err
    assert Path("full/a.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no.jsonl",), "no.jsonl: no such file"),
        (("sft_chta",), "no recipe named 'sft_chta'; did you mean 'sft_chat'?"),
        (
            ("toy:stories", "rows=3"),
            "rows=3: of rows alone only data's own options are changed, as in data.columns=...",
        ),
        (("toy:stories", "data.rwos=3"), "did you mean 'rows'?"),
        (("toy:stories", "--format", "jsonl"), "--format and --shard-rows are of what is written: add --out DIR"),
        (("toy:stories", "--out", "x", "--format", "jsnl"), "--format jsnl: rows are written as parquet or jsonl"),
        (("toy:stories", "data.rows=3", "--out", "file"), "--out file: it is a file; name a folder"),
        (("toy:stories", "data.rows=3", "--out", "file/x"), "cannot be written"),
        (("toy:stories", "data.rows=3", "--html", "no/x.html"), "--html no/x.html: cannot be written"),
        (
            ("toy:stories", "--on", "nonsense:x=1"),
            "--on nonsense:x=1: machines do the steps of data, and this has none",
        ),
        (("toy:stories", "--out", "x", "--on", "ray"), "--on ray: machines do the steps of data, and this has none"),
        (("toy:stories", "--force"), "--force is of the folder that is written to: add --out DIR"),
        (("toy:stories", "--out", "x", "--all"), "--all is of a look at data, and here all rows are written"),
        (("steps.py", "--line", "50"), "--line 50 is of a look at data, and here all rows go through the steps"),
        (("two",), "two.jsonl:1 is a messages row, and those before are text rows"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_sentence(words: tuple[str, ...], said: str, cli: Any) -> None:
    Path("file").write_text("", encoding="utf-8")
    Path("steps.py").write_text(STEPS, encoding="utf-8")
    Path("rows.jsonl").write_text(lines({"text": "one"}, {"text": "two"}, {"text": "three"}), encoding="utf-8")
    Path("two").mkdir()
    Path("two/one.txt").write_text("text", encoding="utf-8")
    Path("two/two.jsonl").write_text(lines({"messages": [{"role": "user", "content": "a"}]}), encoding="utf-8")
    done = cli("data", *words)
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1


def test_rows_that_a_file_defines_need_no_recipe(cli: Any) -> None:
    Path("rows.txt").write_text("one line\nanother\none line\n", encoding="utf-8")
    steps = "from smolrecipes import DropDuplicates, Piped\ndata = Piped('rows.txt', (DropDuplicates(),))\n"
    Path("clean.py").write_text(steps, encoding="utf-8")
    done = cli("data", "clean.py", "data.source.rows=lines", "--out", "out")
    assert (done.code, done.err) == (0, "") and "DropDuplicates" in done.out
    assert sorted(Files("out").load()["text"]) == ["another", "one line"]


def test_a_full_disk_is_a_sentence(tmp_path: Path, python: Any) -> None:
    """Played by a limit on the size of files: Arrow's own writer would end the whole process."""
    rows = "".join(json.dumps({"text": f"{n} {n * n * 7919}"}) + "\n" for n in range(20_000))
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    limited = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "sys.argv = ['smolrecipes', 'data', 'rows.jsonl', '--out', 'out']\n"
        "from smolrecipes.__main__ import main\nmain()"
    )
    done = python("-c", limited)
    assert done.returncode == 2 and "out: cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_lone_surrogate_is_odd(cli: Any) -> None:
    Path("a.jsonl").write_text(lines({"text": "fine"}, {"text": "half a \ud83d pair"}), encoding="utf-8")
    done = cli("data", "a.jsonl")
    assert (
        done.code == 0 and "odd       lone surrogates, which cannot be stored" in done.out and "a.jsonl:2" in done.out
    )


def test_rows_by_another_name_are_a_sentence(cli: Any) -> None:
    Path("a.txt").write_text("one\n", encoding="utf-8")
    Path("rows.py").write_text("from smolrecipes import Files\ndat = Files('a.txt')\n", encoding="utf-8")
    done = cli("data", "rows.py")
    assert (done.code, done.err.strip()) == (2, "error: rows.py: it defines rows as dat; call them `data`")


def test_a_broken_only_file_tells_why(cli: Any) -> None:
    Path("a.txt.gz").write_bytes(b"no gzip at all")
    done = cli("data", "a.txt.gz", "data.broken=skip")
    assert done.code == 2 and "it holds no rows (a.txt.gz: 1 left out as broken" in done.err
