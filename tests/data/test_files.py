"""Reading one's own files: every format, and one sentence for whatever is wrong with them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes.data.files import Files
from smolrecipes.data.passages import passages
from smolrecipes.data.paths import expand
from smolrecipes.errors import RecipeError

REAL = next(
    (p / "shared" / "data" for p in Path(__file__).parents if (p / "shared" / "data").is_dir()), Path("missing")
)
PAIRS = [{"question": f"q{i}", "answer": f"a{i}"} for i in range(3)]
JSONL = "".join(json.dumps(row) + "\n" for row in PAIRS)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, content: str | bytes) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def refused(*args, **options) -> str:
    with pytest.raises(RecipeError) as caught:
        Files(*args, **options).load()
    return str(caught.value)


def sources(name, **options):
    return Files(name, **options).load()["source"][:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", JSONL),
        ("x.jsonl", "\ufeff" + JSONL.replace("\n", "\r\n\r\n")),
        ("x.json", json.dumps(PAIRS, indent=1)),
        ("x.json", json.dumps({"version": 1, "data": PAIRS})),
        ("x.json", JSONL),
        ("x.csv", "question,answer\nq0,a0\nq1,a1\nq2,a2\n"),
        ("x.csv", '"question";"answer"\r\nq0;"a0"\r\nq1;a1\r\nq2;"a;""2"\r\n'),
        ("x.tsv", "question\tanswer\nq0\ta0\nq1\ta1\nq2\ta2\n"),
        ("x.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)),
        ("x.jsonl.bz2", bz2.compress(JSONL.encode())),
        ("x.jsonl.xz", lzma.compress(JSONL.encode())),
        ("x.jsonl.zst", pa.Codec("zstd").compress(JSONL.encode(), asbytes=True)),
    ],
)
def test_formats(name, content):
    rows = Files(write(name, content)).load()
    assert rows["source"][:] == ["q0", "q1", "q2"]
    assert rows.info.description == f"{name}: 3 rows; question and answer, read as pairs"


def test_zip_parquet_and_arrow():
    with zipfile.ZipFile("x.jsonl.zip", "w") as archive:
        archive.writestr("inner.jsonl", JSONL)
    pq.write_table(pa.Table.from_pylist(PAIRS), "x.parquet")
    for opener, name in ((pa.ipc.new_file, "f.arrow"), (pa.ipc.new_stream, "s.arrow")):
        with opener(name, pa.Table.from_pylist(PAIRS).schema) as out:
            out.write_table(pa.Table.from_pylist(PAIRS))
    for name in ("x.jsonl.zip", "x.parquet", "f.arrow", "s.arrow"):
        assert sources(name) == ["q0", "q1", "q2"], name


def test_keys_that_arrow_fills_in_are_taken_out_again():
    calls = [{"type": "function", "function": {"name": "f", "arguments": {"a": "1"}}}]
    rows = [
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": calls}]},
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
    ]
    rows[0]["messages"][1]["tool_calls"].append(
        {"type": "function", "function": {"name": "g", "arguments": {"b": "2"}}}
    )
    pq.write_table(pa.Table.from_pylist(rows), "x.parquet")
    read = Files("x.parquet").load()["messages"][:]
    assert read[0][1]["tool_calls"][0]["function"]["arguments"] == {"a": "1"}
    assert read[1] == rows[1]["messages"]


def test_a_dataset_saved_to_disk():
    from datasets import Dataset

    Dataset.from_list(PAIRS).save_to_disk("saved")
    assert sources("saved") == ["q0", "q1", "q2"]


def test_origin_is_the_line():
    assert Files(write("x.jsonl", "\n" + JSONL)).load()["origin"][:] == ["x.jsonl:2", "x.jsonl:3", "x.jsonl:4"]
    table = write("x.csv", 'question,answer\n"q\n0",a0\nq1,a1\n')
    assert Files(table).load()["origin"][:] == ["x.csv:2", "x.csv:4"]
    text = write("x.txt", "ab\n\n" * 3000)
    rows = Files(text).load()
    assert rows["origin"][:2] == ["x.txt:1", "x.txt:2001"]


def test_plain_text_as_passages_lines_and_files():
    text = "one\n\ntwo\r\n\r\nthree\n"
    write("x.txt", text)
    assert Files("x.txt").load()["text"][:] == [text]
    assert Files("x.txt", rows="lines").load()["text"][:] == ["one", "two", "three"]
    assert Files("x.txt", rows="files").load()["text"][:] == [text]
    assert Files(write("y.log", text), format="txt").load()["text"][:] == [text]


@settings(max_examples=200)
@given(st.text(st.sampled_from("ab \n\t\r."), max_size=200), st.integers(1, 40))
def test_passages_lose_nothing(text, long):
    cut = list(passages(text, long))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= long for piece in cut)


def test_passages_end_at_empty_lines():
    assert list(passages("aaa\nb\n\ncc\n\nddd\neee", 12)) == ["aaa\nb\n\ncc\n\n", "ddd\neee"]
    assert list(passages("aaaa bbbb cccc", 10)) == ["aaaa bbbb ", "cccc"]


def test_several_files_globs_folders_and_commas():
    write("d/a.jsonl", JSONL)
    write("d/e/b.jsonl", JSONL.replace("question", "prompt").replace("answer", "completion"))
    write("d/README.md", "about")
    for paths in (
        "d/**/*.jsonl",
        "d",
        "d/a.jsonl,d/e/b.jsonl",
        ("d/a.jsonl", "d/e/*"),
        [Path("d/a.jsonl"), Path("d/e")],
    ):
        assert sources(paths) == ["q0", "q1", "q2"] * 2, paths
    assert Files("d").load().info.description.splitlines() == [
        "a.jsonl: 3 rows; question and answer, read as pairs",
        "b.jsonl: 3 rows; prompt and completion, read as pairs",
    ]
    assert Files(("d/a.jsonl",)) == Files("d/a.jsonl") and repr(Files("d/a.jsonl")) == "Files('d/a.jsonl')"
    write("f/a.jsonl", JSONL)
    assert Files("d/a.jsonl,f/a.jsonl").load()["origin"][3] == "f/a.jsonl:1"


def test_a_url(here):
    write("x.jsonl", JSONL)
    assert sources((here / "x.jsonl").as_uri()) == ["q0", "q1", "q2"]
    assert "cannot be fetched" in refused((here / "y.jsonl").as_uri())


def test_identity_is_the_content_not_the_path():
    first = Files(write("a.jsonl", JSONL)).fingerprint()
    assert Files(write("b/c.jsonl", JSONL)).fingerprint() == first
    assert Files("a.jsonl", columns={"text": "question"}).fingerprint() != first
    write("a.jsonl", JSONL + JSONL)
    assert Files("a.jsonl").fingerprint() != first


def test_columns_of_a_csv():
    write("x.csv", "domanda,risposta\nq0,a0\n")
    rows = Files("x.csv", columns={"user": "domanda", "assistant": "{{ risposta | upper }}"}).load()
    assert rows["messages"][0] == [{"role": "user", "content": "q0"}, {"role": "assistant", "content": "A0"}]


def test_tsv_with_quotes_as_characters():
    write("x.tsv", 'sentence\tlabel\n"so " he said\t0\nplain\t1\n" unclosed\t1\n')
    assert Files("x.tsv").load()["text"][:] == ['"so " he said', "plain", '" unclosed']
    write("y.tsv", 'sentence\tlabel\n"a ""b"""\t0\n"two\nlines"\t1\n')
    assert Files("y.tsv").load()["text"][:] == ['a "b"', "two\nlines"]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("x.jsonl", "", "x.jsonl: the file is empty"),
        ("x.jsonl", "\n\n", "x.jsonl: the file holds no rows"),
        ("x.txt", " \n", "x.txt: the file holds no rows"),
        ("x.csv", "text\n", "x.csv: the file holds no rows"),
        ("x.json", "[]", "holds no rows"),
        (
            "x.jsonl",
            JSONL + '{"question": "q" "answer"}\n',
            "x.jsonl:4, column 18: broken JSON: Expecting ',' delimiter",
        ),
        ("x.jsonl", '{"question": "q', "x.jsonl:1, column 14: broken JSON: Unterminated string"),
        (
            "x.jsonl",
            "[1]\n",
            'x.jsonl:1: a row should be an object such as {"text": "..."}, not a list; mend the row, or',
        ),
        ("x.jsonl", JSONL + "null\n", "x.jsonl:4: a row should be an object"),
        ("x.jsonl", JSONL + "null\n", ", not null; mend the row, or remove it"),
        ("x.json", "null", 'x.json should hold a list of objects such as [{"text": "..."}], not null'),
        ("x.jsonl", bytes(range(256)), "x.jsonl is not text: there are zero bytes in it"),
        ("x.txt", b"\x7fELF\x02\x00" * 9, "x.txt is not text: there are zero bytes in it; name a text file, or"),
        ("x.jsonl.gz", gzip.compress(bytes(9), mtime=0), "x.jsonl.gz is not text"),
        ("x.jsonl", "[" * 100_000, "x.jsonl:1: this JSON cannot be read"),
        ("x.json", '[{"text": "a"},\n {"text": }]', "x.json:2, column 11: broken JSON"),
        ("x.json", "3", "x.json should hold a list of objects"),
        ("x.jsonl", JSONL.encode() + b'{"question": "\xe8"}\n', "x.jsonl:4: not UTF-8 (byte 0xe8)"),
        ("x.txt", b"a\nb\n\xe8", "x.txt:3: not UTF-8"),
        ("x.txt", "ciao".encode("utf-16"), "x.txt:1: the file is UTF-16"),
        ("x.log", "a", "x.log: the extension '.log' is of no format that is read; say what it is with data.format="),
        ("x.jsnl", "a", "did you mean '.jsonl'?"),
        ("x.csv", "q0,a0\nq1,a1\n", "found: q0 (text), a0 (text)"),
        ("x.csv", "a,a\n1,2\n", "x.csv:1: the first line should name the columns, each once, not 'a', 'a'"),
        ("x.csv", "text,label\na,1\nb\n", "x.csv:3: 1 fields, but the header has 2: text, label"),
        ("x.csv", 'text,label\n"a,1\n', "x.csv:2: broken row"),
        ("x.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)[:-9], "x.jsonl.gz cannot be read"),
        ("x.jsonl.gz", JSONL, "x.jsonl.gz cannot be read"),
        ("x.jsonl.xz", JSONL, "x.jsonl.xz cannot be read"),
        ("x.jsonl.zst", JSONL, "x.jsonl.zst cannot be read"),
        ("x.jsonl.zip", JSONL, "x.jsonl.zip cannot be read"),
        ("x.parquet", JSONL, "x.parquet cannot be read as parquet"),
        ("x.parquet", "", "x.parquet: the file is empty"),
        ("x.arrow", JSONL, "x.arrow cannot be read as arrow"),
    ],
)
def test_bad_files_are_one_sentence(name, content, part):
    message = refused(write(name, content))
    assert part in message and "\n" not in message


def test_missing_files():
    write("d/prefs.jsonl", JSONL)
    assert "did you mean 'prefs.jsonl'?" in refused("d/pref.jsonl")
    assert "there is no folder nowhere" in refused("nowhere/x.jsonl")
    assert "no file matches" in refused("*.jsonl")
    Path("empty").mkdir()
    assert "a folder without data files" in refused("empty")
    assert "is given twice" in refused("d/prefs.jsonl,d/*.jsonl")


def test_many_files_of_one_name_are_each_looked_at_a_few_times(monkeypatch):
    for number in range(40):
        write(f"d{number}/x.jsonl", JSONL)
    looked, stat = [], Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **options: looked.append(self) or stat(self, **options))
    assert len(expand(["d*/x.jsonl"])) == 40
    assert len(looked) < 10 * 40


def test_mismatches():
    write("a.jsonl", JSONL)
    write("b.txt", "text")
    assert "a.jsonl holds pair rows; b.txt holds text rows" in refused("a.jsonl,b.txt")
    assert "none of the files is plain text" in refused("a.jsonl", rows="lines")
    assert "Files.paths" in refused(3)
    with zipfile.ZipFile("x.jsonl.zip", "w") as archive:
        archive.writestr("a.jsonl", JSONL)
        archive.writestr("b.jsonl", JSONL)
    assert "holds 2 files, not one" in refused("x.jsonl.zip")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not here")
@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("gsm8k_train.jsonl", "7,473 rows; question and answer, read as pairs"),
        ("gsm8k_preferences.jsonl", "1,163 rows; prompt, chosen and rejected, read as preferences"),
        ("function_calls.jsonl", "4,000 rows; messages and tools, read as conversations"),
        ("sst2_train.tsv", "67,349 rows; sentence and label, read as labelled text"),
    ],
)
def test_real_tables(name, description):
    assert Files(str(REAL / name)).load().info.description == f"{name}: {description}"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not here")
@pytest.mark.parametrize("name", ["tinyshakespeare.txt", "divina_commedia.txt"])
def test_real_texts_come_back_whole(name):
    rows = Files(str(REAL / name)).load()["text"][:]
    assert "".join(rows).encode() == (REAL / name).read_bytes()
    assert max(map(len, rows)) <= 4000 and len(rows) > 100


def test_a_link_to_nothing_is_called_so(here):
    Path("rows.jsonl").symlink_to(here / "gone.jsonl")
    with pytest.raises(RecipeError, match=r"rows.jsonl: it is a link to .*gone.jsonl, which is not there"):
        Files("rows.jsonl").load()
