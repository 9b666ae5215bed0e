"""The main text of web pages."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from smolrecipes.data.files import Files
from smolrecipes.errors import RecipeError

pytest.importorskip("trafilatura")
WORDS = "The main text of a page is what people read it for, and so it is what is kept, perché no. "
PAGE = (
    "<html><head>{meta}<title>A page</title></head><body><nav><a href='/'>Home</a> <a href='/m'>Menu</a></nav><article>"
    f"<h1>A heading</h1><p>{WORDS * 3}</p><p>{WORDS * 2}</p></article><footer>Copyright nobody</footer></body></html>"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("meta", "encoding", "options"),
    [
        ("", "utf-8", {}),
        ('<meta charset="iso-8859-1">', "latin-1", {}),
        ('<meta http-equiv="Content-Type" content="text/html; charset=cp1252">', "cp1252", {}),
        ("", "cp1252", {"encoding": "cp1252"}),
    ],
)
def test_the_main_text_of_a_page(meta, encoding, options):
    Path("a.html").write_bytes(PAGE.format(meta=meta).encode(encoding))
    rows = Files("a.html", **options).load()
    text = rows["text"][0]
    assert text.count("perché no.") == 5 and "A heading" in text
    assert "Menu" not in text and "Copyright" not in text and "<" not in text
    assert rows["origin"][:] == ["a.html:1"] and rows.info.description == "a.html: 1 rows; passages of text"
    assert len(Files("a.html", rows="lines", **options).load()) == 3


def test_pages_in_folders_and_archives():
    Path("d").mkdir()
    Path("d/a.htm").write_text(PAGE.format(meta=""), encoding="utf-8")
    assert len(Files("d").load()) == 1
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr("site/a.html", PAGE.format(meta=""))
    assert Files("x.zip").load()["origin"][:] == ["x.zip/site/a.html:1"]


@pytest.mark.parametrize("page", ["<html><body></body></html>", " "])
def test_a_page_without_text_says_so(page):
    Path("a.html").write_text(PAGE.format(meta=""), encoding="utf-8")
    Path("b.html").write_text(page, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"^b.html: there is no main text in this page"):
        Files("*.html").load()
    left = Files("b.html,a.html", broken="skip").load()
    assert "b.html: 1 left out as broken: b.html" in left.info.description and set(left["origin"]) == {"a.html:1"}
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr("b.html", page)
        archive.writestr("a.html", PAGE.format(meta=""))
    assert "1 left out as broken" in Files("x.zip", broken="skip").load().info.description


def test_a_page_that_does_not_decode():
    Path("a.html").write_bytes(PAGE.format(meta="").encode("cp1252"))
    with pytest.raises(RecipeError, match="a.html:1: not UTF-8"):
        Files("a.html").load()
