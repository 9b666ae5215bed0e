"""Broken input: one sentence that stops, or left out and told; encodings."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes.data import decode
from smolrecipes.data.broken import Broken
from smolrecipes.data.files import Files
from smolrecipes.data.passages import passages
from smolrecipes.errors import RecipeError

PAIRS = [{"question": f"q{i}", "answer": f"a{i}"} for i in range(3)]
LINES = [json.dumps(row) for row in PAIRS]
JSONL = "\n".join(LINES) + "\n"
LONG = "".join(f'{{"text": "{i} {i * i}"}}\n' for i in range(9_000)).encode()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, content: str | bytes) -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def refused(*args, **options) -> str:
    with pytest.raises(RecipeError) as caught:
        Files(*args, **options).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def joined(*lines: str | bytes) -> bytes:
    return b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)


CASES = [
    ("x.jsonl", joined(*LINES, '{"question": "q', ""), ["q0", "q1", "q2"], "x.jsonl:4"),
    ("x.jsonl", joined(*LINES[:2], "{'a': 1}", LINES[2], "null"), ["q0", "q1", "q2"], "x.jsonl:3, x.jsonl:5"),
    ("x.jsonl", joined(LINES[0], b'{"question": "\xe8"}', LINES[1]), ["q0", "q1"], "x.jsonl:2"),
    (
        "x.jsonl",
        joined(*LINES, '{"question": 7, "answer": "a"}', '{"q": 1}'),
        ["q0", "q1", "q2"],
        "x.jsonl:4, x.jsonl:5",
    ),
    ("x.jsonl", joined(*LINES, r'{"question": "\ud800", "answer": "a"}'), ["q0", "q1", "q2"], "x.jsonl:4"),
    ("x.json", json.dumps([*PAIRS, 3]).encode(), ["q0", "q1", "q2"], "x.json:4"),
    ("x.csv", b"question,answer\nq0,a0\nq1\nq2,a2\n", ["q0", "q2"], "x.csv:3"),
    ("x.csv", b'question,answer\nq0,a0\n"q1,a1\nq2,a2\n', ["q0", "q2"], "x.csv:3"),
    ("x.csv", b'question,answer\nq0,a0\n"q1"x,a1\nq2,a2\n"q3,a3', ["q0", "q2"], "x.csv:3, x.csv:5"),
    ("x.csv", b"question,answer\nq0,a0\n\xe8,a1\nq2,a2\nq3\n", ["q0", "q2"], "x.csv:3, x.csv:5"),
    ("x.tsv", b'question\tanswer\n"q0\ta0\n\xe8\ta1\nq2\ta2\n', ['"q0', "q2"], "x.tsv:3"),
]


@pytest.mark.parametrize(("name", "content", "left", "places"), CASES)
def test_what_is_broken_stops_or_is_left_out_and_told(name, content, left, places):
    write(name, content)
    message = refused(name)
    assert message.startswith(places.split(",")[0])
    rows = Files(name, broken="skip").load()
    assert rows["source"][:] == left
    count = places.count(":")
    assert rows.info.description.splitlines()[1].startswith(
        f"{name}: {count} left out as broken: {places}; the first: {message[:20]}"
    )


def test_text_without_the_lines_that_do_not_decode():
    write("x.txt", b"one\ntw\xe8\nthree\n\xff\nfive\n")
    assert "x.txt:2: not UTF-8 (byte 0xe8)" in refused("x.txt")
    rows = Files("x.txt", broken="skip").load()
    assert rows["text"][:] == ["one\n\nthree\n\nfive\n"]
    assert "x.txt: 2 left out as broken: x.txt:2, x.txt:4; the first: x.txt:2: not UTF-8" in rows.info.description
    lines = Files("x.txt", broken="skip", rows="lines").load()
    assert lines["origin"][:] == ["x.txt:1", "x.txt:3", "x.txt:5"]


def test_a_sentence_with_a_broken_line_is_left_out():
    write("x.conll", b"a O\nb O\n\nc O\nd\ne O\n\nf O\n\xe8 O\ng O\n\nh O\n")
    assert "x.conll:5: a word and its tag" in refused("x.conll")
    rows = Files("x.conll", broken="skip").load()
    assert rows["tokens"][:] == [["a", "b"], ["h"]]
    assert "2 left out as broken: x.conll:5, x.conll:9" in rows.info.description


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_a_compressed_file_that_breaks_off(extension):
    packed = gzip.compress(LONG, mtime=0) if extension == "gz" else pa.Codec("zstd").compress(LONG, asbytes=True)
    name = write(f"x.jsonl.{extension}", packed[: len(packed) * 3 // 4])
    assert f"{name} cannot be read" in refused(name)
    rows = Files(name, broken="skip").load()
    assert 1_000 < len(rows) < 9_000 and rows["text"][:] == [f"{i} {i * i}" for i in range(len(rows))]
    assert f"{name}: 1 left out as broken: {name}; the first: {name} cannot be read" in rows.info.description


def test_a_compressed_text_that_breaks_off_keeps_what_there_is():
    text = "".join(f"line {i * i}\n" for i in range(30_000)).encode()
    packed = gzip.compress(text, mtime=0)
    write("x.txt.gz", packed[: len(packed) * 3 // 4])
    rows = Files("x.txt.gz", broken="skip").load()["text"][:]
    assert text.startswith("".join(rows).encode()) and len("".join(rows)) > len(text) // 2


def test_broken_deflate_is_a_sentence():
    packed = bytearray(gzip.compress(LONG, mtime=0))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    assert "x.jsonl.gz" in refused(write("x.jsonl.gz", bytes(packed)))


def test_a_file_without_a_good_row_is_left_out_and_stops_where_there_is_no_other():
    write("a.jsonl", JSONL)
    write("b.jsonl", "")
    write("c.jsonl", "\n")
    assert "b.jsonl: the file is empty" in refused("*.jsonl")
    rows = Files("*.jsonl", broken="skip").load()
    assert rows.info.description.splitlines()[1:] == [
        "b.jsonl: the file is empty",
        "c.jsonl: the file holds no rows",
    ]
    assert "none of the files holds a row: b.jsonl: the file is empty" in refused("b.jsonl", broken="skip")
    write("d.jsonl", "nothing\n")
    write("e.jsonl", bytes(9))
    told = Files("*.jsonl", broken="skip").load().info.description
    assert "d.jsonl: 1 left out as broken: d.jsonl:1; the first: d.jsonl:1, column 1: broken JSON" in told
    assert "e.jsonl: 1 left out as broken: e.jsonl; the first: e.jsonl is not text" in told
    assert "d.jsonl:1, column 1: broken JSON" in refused("d.jsonl", broken="skip")
    assert "e.jsonl is not text" in refused("e.jsonl", broken="skip")
    assert "x.parquet cannot be read" in refused(write("x.parquet", JSONL), broken="skip")


def test_long_lines_are_a_sentence_with_their_size(monkeypatch):
    monkeypatch.setattr(decode, "LINE", 2_000_000)
    long = "x" * 3_000_000
    write("x.jsonl", joined(LINES[0], '{"question": "' + long + '"}', LINES[1]))
    assert "x.jsonl:2: the line has 3 MB, and no more than 2 MB are read" in refused("x.jsonl")
    assert Files("x.jsonl", broken="skip").load()["source"][:] == ["q0", "q1"]
    for name, options in (("x.txt", {"rows": "lines"}), ("x.csv", {})):
        write(name, joined("text", long, "b"))
        assert f"{name}:2: the line has 3 MB" in refused(name, **options)
        rows = Files(name, broken="skip", **options).load()
        assert rows["text"][-1] == "b" and rows["origin"][-1] == f"{name}:3"
    assert "".join(Files("x.txt").load()["text"]) == f"text\n{long}\nb", "passages are cut, however long a line is"


def test_a_list_that_is_too_large(monkeypatch):
    monkeypatch.setattr(decode, "WHOLE", 1 << 10)
    write("x.json", json.dumps(PAIRS * 99))
    assert "too much to be read at once; write it as JSON lines" in refused("x.json")


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1", "shift_jis", "gb18030", "utf-8-sig"]
)
@pytest.mark.parametrize(("name", "rows"), [("x.txt", "lines"), ("x.txt", "passages"), ("x.jsonl", "passages")])
def test_encodings(encoding, name, rows):
    word = "日本" if encoding in ("shift_jis", "gb18030") else "perché"
    text = f"{word}\n" * 3 if name == "x.txt" else f'{{"text": "{word}"}}\n' * 3
    write(name, text.encode(encoding))
    found = Files(name, encoding=encoding, rows=rows).load()["text"][:]
    assert found == ([f"{word}\n" * 3] if rows == "passages" and name == "x.txt" else [word] * 3)


def test_what_does_not_decode_in_another_encoding():
    write(
        "x.txt",
        "\ufeff".encode("utf-16-le") + "a\n".encode("utf-16-le") + b"\x00\xd8" + "\nc\n".encode("utf-16-le") + b"x",
    )
    assert "x.txt:2: not in the encoding that data.encoding says" in refused("x.txt", encoding="utf-16")
    rows = Files("x.txt", encoding="utf-16", broken="skip", rows="lines").load()
    assert rows["text"][:] == ["a", "c"]


def test_encodings_are_detected_and_told():
    text = "Perché no? L'università è là, più in giù. Così è la città, e però c'è già chi dà di più.\n" * 40
    write("a.txt", ("plain words here\n" * 9_000 + text).encode("cp1252"))
    write("b.txt", text)
    write("c.txt", text.encode("utf-16"))
    assert "not UTF-8" in refused("a.txt")
    rows = Files(("a.txt", "b.txt", "c.txt"), encoding="detect", rows="files").load()
    assert rows["text"][0].endswith(text) and rows["text"][1:] == [text, text]
    said = rows.info.description
    assert "a.txt: its encoding is taken to be cp12" in said and "c.txt: its encoding is taken to be utf-16" in said
    assert "b.txt: its" not in said


def test_an_encoding_is_detected_far_into_a_line():
    text = "Perché no? L'università è là, più in giù. Così è la città, e però c'è già chi dà di più. " * 40
    write("a.txt", ("plain words here " * 9_000 + text).encode("cp1252"))
    assert Files("a.txt", encoding="detect", rows="files").load()["text"][0].endswith(text)


def test_options_are_checked_and_leave_older_fingerprints():
    write("x.jsonl", JSONL)
    assert "there is no text encoding 'utf8x'; did you mean" in refused("x.jsonl", encoding="utf8x")
    assert "there is no text encoding 'base64'" in refused("x.jsonl", encoding="base64")
    plain = Files("x.jsonl")
    assert {"broken", "encoding"}.isdisjoint(plain.identity())
    assert Files("x.jsonl", broken="skip").fingerprint() != plain.fingerprint()
    assert Files("x.jsonl", encoding="latin-1").fingerprint() != plain.fingerprint()


SOME = st.text(st.sampled_from('ab è日 \n\t\r.\u2028\x0c"'), max_size=120)


@settings(max_examples=200)
@given(SOME, st.integers(1, 40), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_passages_of_pieces_are_those_of_the_text(text, long, sizes):
    assert list(passages(in_pieces(text, sizes), long)) == list(passages(text, long))


@settings(max_examples=200)
@given(SOME, st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_lines_of_pieces_are_those_of_the_text(text, sizes):
    found = list(decode.split(in_pieces(text, sizes), "x", Broken("x", False)))
    assert found == list(enumerate(decode.CUT.findall(text), 1))
    assert "".join(line for _, line in found) == text
    assert not any(set(line.rstrip("\r\n")) & set("\r\n") for _, line in found)


def test_a_line_is_not_cut_within():
    write("x.txt", "a page\x0canother\u2028and more\r\nthe last\r")
    assert [row["text"] for row in Files("x.txt", rows="lines").load()] == [
        "a page\x0canother\u2028and more",
        "the last",
    ]


@settings(max_examples=200)
@given(SOME.map(str.encode) | st.binary(max_size=60), st.integers(1, 9))
def test_pieces_of_a_file_are_its_text(data, block):
    """Whatever a block is, also within a character; and what does not decode is told by its line."""
    import io

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "BLOCK", max(block, 4))
        found, expected = [], None
        try:
            expected = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            expected = f"x:{line}: "
        try:
            found = "".join(decode.pieces(io.BytesIO(data), "x", Broken("x", False)))
        except RecipeError as error:
            found = str(error)[: len(expected)]
        assert found == expected


def in_pieces(text: str, sizes: list[int]) -> list[str]:
    found, start = [], 0
    while start < len(text):
        size = sizes[len(found) % len(sizes)]
        found.append(text[start : start + size])
        start += size
    return found
