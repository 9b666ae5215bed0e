"""Files at URLs of fsspec: single ones, globs, folders, and what cannot be fetched."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import fsspec
import pytest

from smolrecipes.data.files import Files
from smolrecipes.errors import RecipeError

JSONL = "".join(json.dumps({"question": f"q{i}", "answer": "a"}) + "\n" for i in range(3)).encode()


@pytest.fixture
def bucket(request):
    """A folder in memory, whose name no other test has."""
    files = fsspec.filesystem("memory")
    root = f"/{request.node.name}"
    files.pipe({f"{root}/{name}": JSONL for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "x.bin")})
    yield f"memory:/{root}"
    files.rm(root, recursive=True)


def refused(*args) -> str:
    with pytest.raises(RecipeError) as caught:
        Files(*args).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_globs_folders_and_several(bucket, tmp_path):
    origins = ["a.jsonl:1", "b.jsonl:1"]
    for paths in (f"{bucket}/*.jsonl", (f"{bucket}/a.jsonl", f"{bucket}/b.jsonl")):
        assert Files(paths).load()["origin"][:][::3] == origins
    assert len(Files(bucket).load()) == len(Files(f"{bucket}/**/*.jsonl").load()) == 9
    (tmp_path / "a.jsonl").write_bytes(JSONL)
    (tmp_path / "b.jsonl").write_bytes(JSONL)
    assert Files(f"{tmp_path.as_uri()}/*.jsonl").load()["origin"][:][::3] == origins


def test_the_content_is_the_identity_wherever_it_lies(bucket, tmp_path):
    (tmp_path / "local.jsonl").write_bytes(JSONL)
    assert Files(f"{bucket}/a.jsonl").fingerprint() == Files(str(tmp_path / "local.jsonl")).fingerprint()


def test_parts_of_urls_are_their_rows(bucket):
    files = Files(f"{bucket}/*.jsonl")
    assert [row for part in files.parts() for row in part.stream([])] == list(files.stream([]))


def test_what_breaks_off_is_not_taken_for_the_whole():
    class Half(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(2 * len(JSONL)))
            self.end_headers()
            self.wfile.write(JSONL)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Half) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        said = refused(f"http://127.0.0.1:{server.server_port}/x.jsonl")
        server.shutdown()
    assert f"it broke off after {len(JSONL)} of {2 * len(JSONL)} bytes" in said


def test_what_cannot_be_fetched_is_a_sentence(bucket):
    assert "no file matches" in refused(f"{bucket}/*.csv")
    assert "cannot be fetched" in refused(f"{bucket}/none.jsonl")
    assert "cannot be fetched" in refused("nosuchprotocol://x/y.jsonl")
    assert "cannot be fetched" in refused("hf://datasets/nobody/nothing/*.jsonl")
