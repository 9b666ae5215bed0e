"""A corpus of what lies on a machine, with known copies, addresses and evaluation rows in it: `corpus.py FOLDER --megabytes 100`.

Documentation, man pages, docstrings, and text files of one's own (--texts): FOLDER/corpus.jsonl, and what was put into
it in FOLDER/truth.json. The same machine, options and seed give the same corpus.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import html
import itertools
import json
import random
import re
import sys
import warnings
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

MANUALS, DOCUMENTS = Path("/usr/share/man"), ("/usr/share/doc", "/usr/share/perl", "/usr/share/vim")
SHARES = (0.01, 0.03, 0.05, 0.10)
"""Of the words of a near-duplicate that are others."""
MARKUP = re.compile(r"\\f[BIRP]|\\\(..|\\[&|^/,]|\\-|^['.]\\\".*$|^[.']\s*(?:\w+)?", re.MULTILINE)


def main() -> None:
    """Writes the corpus."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folder", type=Path)
    made.add_argument("--megabytes", type=float, default=100)
    made.add_argument("--copies", type=int, default=300, help="of each kind")
    made.add_argument("--evaluation", type=Path, help="questions (jsonl) of which some are put into documents")
    made.add_argument("--texts", type=Path, nargs="*", default=[], help="further text files")
    options = made.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    rows = list(documents(options.megabytes * 1e6, options.texts))
    rng.shuffle(rows)
    truth = injected(rows, options.copies, asked(options.evaluation), rng)
    with (options.folder / "corpus.jsonl").open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    (options.folder / "truth.json").write_text(json.dumps(truth, ensure_ascii=False))
    size = sum(len(row["text"].encode()) for row in rows) / 1e6
    print(
        json.dumps({"rows": len(rows), "megabytes": round(size, 1), **{name: len(one) for name, one in truth.items()}})
    )


def documents(limit: float, texts: list[Path]) -> Iterator[dict[str, Any]]:
    """Texts of about `limit` bytes in all, none twice to the letter, from each kind of place in turn."""
    seen, size = set[bytes](), 0
    places = [docstrings(), manuals(), plain(), (piece for file in texts for piece in pieces(file))]
    for name, text in itertools.chain.from_iterable(zip_all(places)):
        text = text.strip()
        key = blake2b(" ".join(text.split()).encode("utf-8", "replace"), digest_size=12).digest()
        if 200 <= len(text) <= 50_000 and key not in seen:
            seen.add(key)
            size += len(text.encode("utf-8", "replace"))
            yield {"text": text.encode("utf-8", "replace").decode(), "id": f"{name}#{len(seen)}"}
        if size >= limit:
            return


def zip_all(places: list[Iterator[Any]]) -> Iterator[list[Any]]:
    """The next of each place that has one."""
    while places:
        found = [(place, next(place, None)) for place in places]
        places = [place for place, one in found if one is not None]
        yield [one for _, one in found if one is not None]


def docstrings() -> Iterator[tuple[str, str]]:
    """Of every Python module that can be imported here."""
    warnings.simplefilter("ignore")
    roots = [Path(path) for path in sys.path if path and Path(path).is_dir()]
    for file in sorted({file for root in roots for file in root.rglob("*.py")}):
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, OSError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                yield file.name, text


def manuals() -> Iterator[tuple[str, str]]:
    """Man pages without their markup, in every language there is."""
    for file in sorted(MANUALS.rglob("*.gz")):
        try:
            text = gzip.decompress(file.read_bytes()).decode("utf-8", "replace")
        except (OSError, EOFError):
            continue
        yield file.name, re.sub(r"[ \t]+", " ", MARKUP.sub(" ", text))


def plain() -> Iterator[tuple[str, str]]:
    """Documentation as text, Markdown or HTML."""
    for file in sorted(file for root in DOCUMENTS for file in Path(root).rglob("*") if file.is_file()):
        if file.suffix in (".gz", ".txt", ".md", ".rst", ".html", ".pod", "") and file.stat().st_size < 2_000_000:
            data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            if b"\0" not in data:
                yield from pieces(file, data.decode("utf-8", "replace"))


def pieces(file: Path, text: str = "") -> Iterator[tuple[str, str]]:
    """A text in pieces of about 4,000 characters."""
    text = text or file.read_text(encoding="utf-8")
    if "<html" in text[:2000].lower():
        text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?is)<(script|style).*?</\1>", " ", text)))
    for start in range(0, len(text), 4_000):
        yield file.name, text[start : start + 4_000]


def injected(rows: list[dict[str, Any]], copies: int, questions: list[str], rng: random.Random) -> dict[str, Any]:
    """Puts copies, addresses and questions into the rows; returns what was put where."""
    long = [row for row in rows if len(row["text"].split()) >= 60]
    truth: dict[str, list[Any]] = {"exact": [], "spaced": [], "near": [], "framed": [], "pii": [], "evaluation": []}
    words = [word for row in rng.sample(long, 50) for word in row["text"].split()]
    new = []

    def copied(kind: str, text: str, of: dict[str, Any], **more: Any) -> None:
        new.append({"text": text, "id": f"{kind}#{len(truth[kind])}"})
        truth[kind].append({"id": new[-1]["id"], "of": of["id"], **more})

    for row in rng.sample(long, copies):
        copied("exact", row["text"], row)
    for row in rng.sample(long, copies):
        copied("spaced", "  ".join(row["text"].upper().split()), row)
    for share in SHARES:
        for row in rng.sample(long, copies):
            copied("near", changed(row["text"], share, words, rng), row, share=share)
    for row in rng.sample(long, copies):
        copied("framed", f"Home | Search | Log in\n\n{row['text']}\n\nAll rights reserved. Contact us", row)
    for row in rng.sample(long, copies):
        kind, secret = rng.choice(SECRETS)
        told = secret(rng)
        row["text"] = between(row["text"], told, rng)
        truth["pii"].append({"id": row["id"], "kind": kind, "text": told})
    for question, row in zip(rng.sample(questions, min(len(questions), copies)), rng.sample(long, copies)):
        row["text"] = between(row["text"], question, rng)
        truth["evaluation"].append({"id": row["id"], "text": question})
    for row in new:
        rows.insert(rng.randrange(len(rows) + 1), row)
    return truth


def changed(text: str, share: float, words: list[str], rng: random.Random) -> str:
    """The text with so many of its words replaced by others."""
    found = re.split(r"(\s+)", text)
    places = [place for place, word in enumerate(found) if word.strip()]
    for place in rng.sample(places, max(1, round(share * len(places)))):
        found[place] = rng.choice(words)
    return "".join(found)


def between(text: str, inner: str, rng: random.Random) -> str:
    """The text with another between two of its words."""
    spaces = [found.end() for found in re.finditer(r"\s+", text)]
    place = rng.choice(spaces)
    return f"{text[:place]}{inner} {text[place:]}"


def asked(file: Path | None) -> list[str]:
    """The questions of an evaluation set."""
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    return [str(json.loads(line)["question"]) for line in lines]


def card(rng: random.Random) -> str:
    """A number that passes Luhn's check."""
    digits = [4, *(rng.randrange(10) for _ in range(14))]
    total = sum(sum(divmod(2 * d, 10)) if place % 2 == 0 else d for place, d in enumerate(digits))
    text = "".join(map(str, [*digits, -total % 10]))
    return " ".join(text[at : at + 4] for at in range(0, 16, 4))


SECRETS: tuple[tuple[str, Any], ...] = (
    ("email", lambda rng: f"{rng.choice(['anna', 'j.smith', 'info+x'])}{rng.randrange(99)}@{rng.choice(['example', 'mail-7'])}.{rng.choice(['org', 'it', 'co.uk'])}"),
    ("phone", lambda rng: f"{rng.choice(['+39', '+1', '+44'])} {rng.randrange(200, 999)} {rng.randrange(1000000, 9999999)}"),
    ("card", card),
    ("ip", lambda rng: ".".join(str(rng.randrange(11, 223)) for _ in range(4))),
)  # fmt: skip


if __name__ == "__main__":
    main()
