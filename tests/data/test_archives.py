"""Files in archives and compressed files: read in place, refused where they lead astray, bounded where they are bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smolrecipes.data import archives, source
from smolrecipes.data.files import PART, Files, files_in
from smolrecipes.data.paths import told_apart
from smolrecipes.errors import RecipeError

PAIRS = [{"question": f"q{i}", "answer": f"a{i}"} for i in range(3)]
JSONL = "".join(json.dumps(row) + "\n" for row in PAIRS).encode()
TSV = b'question\tanswer\n"q0" x\ta0\nq1\ta1\n'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(PAIRS), out)
    return out.getvalue()


def zipped(name: str, members: dict[str, bytes], **options) -> str:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return name


def tarred(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member, content in members.items():
            if isinstance(content, bytes):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.addfile(content)
    return out.getvalue()


PACKERS = {
    ".tar": bytes,
    ".tar.gz": lambda data: gzip.compress(data, mtime=0),
    ".tgz": lambda data: gzip.compress(data, mtime=0),
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}
EXTENSIONS = [".zip", *PACKERS]


def archive(extension: str, members: dict[str, bytes]) -> str:
    name = f"corpus{extension}"
    if extension == ".zip":
        return zipped(name, members)
    Path(name).write_bytes(PACKERS[extension](tarred(members)))
    return name


def link(name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


def refused(*args, **options) -> str:
    with pytest.raises(RecipeError) as caught:
        Files(*args, **options).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_member_of_a_known_format_is_a_file(extension):
    members = {
        "./a/x.jsonl": JSONL,
        "b.jsonl.gz": gzip.compress(JSONL),
        "c.parquet": parquet(),
        "d.tsv": TSV,
        "e.csv": b"question,answer\nq0,a0\n",
        "pictures/p.png": b"\x89PNG",
        "README.md": b"about",
        "inner.zip": b"PK",
        ".hidden.jsonl": JSONL,
    }
    name = archive(extension, members)
    rows = Files(name).load()
    assert rows["source"][:] == ["q0", "q1", "q2"] * 3 + ['"q0" x', "q1", "q0"]
    assert rows["origin"][:2] + rows["origin"][-2:] == [
        *(f"{name}/a/x.jsonl:1", f"{name}/a/x.jsonl:2"),
        *(f"{name}/d.tsv:3", f"{name}/e.csv:2"),
    ]
    assert rows.info.description.splitlines() == [
        f"{name}/a/x.jsonl, {name}/b.jsonl.gz, {name}/c.parquet and 2 more: 12 rows; question and answer, read as pairs",
        f"{name}: 2 files are not read (of no format that is read, or about the data): pictures/p.png, README.md",
        f"{name}: 1 file is not read (archives in an archive): inner.zip",
    ]
    assert sorted(Path().iterdir()) == [Path(name)], "nothing is unpacked"


@pytest.mark.parametrize("extension", [".zip", ".tar", ".tar.gz"])
def test_a_large_table_is_looked_at_twice(extension):
    rows = "".join(f'"q{i}" or\ta{i * i}\n' for i in range(60_000))
    name = archive(extension, {"a.tsv": b"question\tanswer\n" + rows.encode()})
    found = list(Files(name).stream([]))
    assert [row["source"] for row in found] == [f'"q{i}" or' for i in range(60_000)]


@pytest.mark.parametrize("extension", [".zip", ".tar.gz"])
def test_text_in_archives_is_cut_and_the_format_can_be_given(extension):
    name = archive(extension, {"a.txt": b"one\ntwo\n", "b.txt": b"three"})
    assert Files(name, rows="lines").load()["text"][:] == ["one", "two", "three"]
    name = archive(extension, {"a.log": b"one", "b.log": b"two"})
    assert "the archive holds no data files" in refused(name)
    assert Files(name, format="txt").load()["text"][:] == ["one", "two"]


def test_an_archive_is_one_part_and_its_rows_are_those_of_the_whole():
    names = (zipped("a.zip", {"x.txt": b"one\ntwo"}), "b.txt", "c/b.txt", "c/d.txt")
    Path("c").mkdir()
    for name in names[1:]:
        Path(name).write_text(f"{name}\nmore\n")
    files = Files(names, rows="lines")
    parts = files.parts()
    assert [part.paths for part in parts] == ["a.zip", ("b.txt", "c/b.txt", "c/d.txt")]
    whole = list(files.stream([]))
    for size in (PART, 1):
        with pytest.MonkeyPatch.context() as patch, told_apart(files_in(files)):
            patch.setattr("smolrecipes.data.files.PART", size)
            assert [row for part in files.parts() for row in part.stream([])] == whole
    origins = ["a.zip/x.txt:1", "b.txt:1", "c/b.txt:1", "d.txt:1"]
    assert [row["origin"] for row in whole[::2]] == origins


@pytest.mark.parametrize("name", ["../x.jsonl", "/tmp/x.jsonl", "a/../../x.jsonl", "..\\x.jsonl", "C:\\x.jsonl"])
@pytest.mark.parametrize("extension", [".zip", ".tar"])
def test_names_that_lead_out_of_the_archive_are_refused(name, extension):
    packed = archive(extension, {"good.jsonl": JSONL, name: JSONL})
    assert "its name leads out of the archive; it is not read" in refused(packed)
    left = Files(packed, broken="skip").load()
    assert len(left) == 3 and "1 left out as broken" in left.info.description


def test_links_devices_and_holes_are_refused():
    Path("x.tar").write_bytes(tarred({"good.jsonl": JSONL, "l.jsonl": link("l.jsonl", "/etc/passwd")}))
    assert "x.tar/l.jsonl: it is a link" in refused("x.tar")
    assert len(Files("x.tar", broken="skip").load()) == 3
    with zipfile.ZipFile("x.zip", "w") as made:
        info = zipfile.ZipInfo("l.jsonl")
        info.external_attr = 0o120777 << 16
        made.writestr(info, "/etc/passwd")
        made.writestr("good.jsonl", JSONL)
    assert "x.zip/l.jsonl: it is a link" in refused("x.zip")


def test_encrypted_members_are_a_sentence():
    name = zipped("x.zip", {"a.jsonl": JSONL, "b.jsonl": JSONL})
    data = bytearray(Path(name).read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    Path(name).write_bytes(data)
    assert "x.zip/a.jsonl: it is encrypted" in refused(name)
    assert len(Files(name, broken="skip").load()) == 3
    Path("y.jsonl.zip").write_bytes(Path(zipped("one.zip", {"a.jsonl": JSONL})).read_bytes())
    data = bytearray(Path("y.jsonl.zip").read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    Path("y.jsonl.zip").write_bytes(data)
    assert "y.jsonl.zip is encrypted" in refused("y.jsonl.zip")


@pytest.mark.parametrize("broken", ["stop", "skip"])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_bombs_stop_the_reading_whatever_is_left_out(monkeypatch, extension, broken):
    monkeypatch.setattr(source, "FREE", 1 << 18)
    name = archive(extension, {"a.txt": b"a b\n", "b.txt": b"a" * (4 << 20)})
    if extension == ".tar":  # as large as what is in it
        assert len(list(Files(name, broken=broken).stream([]))) > 1
    else:
        assert "times its" in refused(name, broken=broken) and "zip bomb" in refused(name, broken=broken)


@pytest.mark.parametrize("rows", ["passages", "lines", "files"])
def test_a_compressed_bomb(monkeypatch, rows):
    monkeypatch.setattr(source, "FREE", 1 << 18)
    Path("x.txt.gz").write_bytes(gzip.compress(b"a a a a a a a a\n" * (1 << 18)))
    assert "x.txt.gz unpacks to more than 200 times its" in refused("x.txt.gz", rows=rows)


def test_holes_are_no_way_around_the_bound(monkeypatch):
    """A header that is larger than any header has to be is not read into memory either."""
    monkeypatch.setattr(archives._Forward, "LARGEST", 1 << 12)
    info = tarfile.TarInfo("x.jsonl")
    info.pax_headers = {"comment": "c" * (1 << 14)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        made.addfile(info)
    Path("x.tar").write_bytes(out.getvalue())
    assert "too large" in refused("x.tar")


@pytest.mark.parametrize("extension", [".tar", ".tar.gz", ".tar.zst"])
def test_an_archive_that_breaks_off(extension):
    long = "".join(f'{{"question": "q{i * i}", "answer": "{i}"}}\n' for i in range(12_000))
    whole = tarred({"a.jsonl": JSONL, "b.jsonl": long.encode()})
    name = f"x{extension}"
    packed = PACKERS[extension](whole)
    Path(name).write_bytes(packed[: len(packed) // 2])
    assert "cannot be read" in refused(name)
    left = Files(name, broken="skip").load()
    assert len(left) > 1_000 and "left out as broken" in left.info.description


def test_a_broken_header_is_not_the_end():
    data = bytearray(tarred({"a.jsonl": JSONL, "b.jsonl": JSONL}))
    data[1024:1030] = b"\xff" * 6
    Path("x.tar").write_bytes(data)
    assert "it breaks off, or a header in it is broken" in refused("x.tar")
    assert len(Files("x.tar", broken="skip").load()) == 3


@pytest.mark.parametrize("content", [b"", b"no archive"])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_what_is_no_archive(extension, content):
    Path(f"x{extension}").write_bytes(content)
    assert "cannot be read" in refused(f"x{extension}") or "is empty" in refused(f"x{extension}")


def test_a_folder_s_archives_are_not_its_files():
    zipped("a.zip", {"x.jsonl": JSONL})
    assert "name archives one by one" in refused(".")
    Path("x.jsonl").write_bytes(JSONL)
    assert len(Files(".").load()) == 3
    assert len(Files("*").load()) == 6
