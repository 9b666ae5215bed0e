"""Bad data files and bad overrides, made at random: each is certainly wrong, whatever was drawn."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='"\\'), min_size=1, max_size=12)
TEXT = WORDS.filter(lambda text: text.strip() != "")
NOT_TEXT = st.one_of(st.none(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2))
NOT_LIST = st.one_of(st.none(), st.integers(), st.booleans(), st.floats(allow_nan=False))

RECIPES = {
    "text": "pretrain_clm",
    "messages": "sft_chat",
    "preference": "orpo_lora",
    "labelled": "finetune_sentiment",
    "tagged": "finetune_tokens",
    "question": "finetune_qa",
    "pair": "translate_transformer",
    "mentions": "luke_entities",
}
"""A shipped recipe that reads each row type."""


def good(kind: str, word: str) -> dict[str, Any]:
    """A row of a type as it should be."""
    chat = [{"role": "user", "content": word}, {"role": "assistant", "content": f"{word}!"}]
    rows: dict[str, dict[str, Any]] = {
        "text": {"text": f"{word} and more"},
        "messages": {"messages": chat},
        "preference": {"prompt": word, "chosen": f"{word} yes", "rejected": f"{word} no"},
        "labelled": {"text": word, "label": "good"},
        "tagged": {"tokens": [word, "b"], "tags": ["O", "O"]},
        "question": {"question": word, "context": "Anna is here", "answers": {"text": ["Anna"], "answer_start": [0]}},
        "pair": {"source": word, "target": f"{word} there"},
        "mentions": {"text": "Rome is old", "entities": [{"start": 0, "end": 4, "entity": "Rome"}]},
    }
    return rows[kind]


@st.composite
def bad_rows(draw: Any, kind: str) -> dict[str, Any]:
    """A row of a type with one thing certainly wrong."""
    row = json.loads(json.dumps(good(kind, draw(TEXT))))
    if kind == "messages":
        message, turn = (
            draw(st.sampled_from(row["messages"])),
            draw(st.sampled_from(["role", "content", "none", "list"])),
        )
        if turn == "role":
            message["role"] = draw(st.sampled_from(["assitant", "usr", "Sytem", "me", ""]))
        elif turn == "content":
            message["content"] = draw(st.one_of(st.integers(), st.booleans()))
        elif turn == "none":
            del message["role"]
        else:
            row["messages"] = draw(st.one_of(st.integers(), TEXT, st.just([1, 2])))
        return row
    if kind == "tagged" and draw(st.booleans()):
        row["tags"] = draw(st.lists(st.just("O"), max_size=5).filter(lambda tags: len(tags) != 2))
    elif kind == "tagged":
        row[draw(st.sampled_from(["tokens", "tags"]))] = draw(NOT_LIST)
    elif kind == "question" and draw(st.booleans()):
        row["answers"]["answer_start"] = [draw(st.integers(1, 400))]
    elif kind == "mentions":
        row["entities"][0][draw(st.sampled_from(["start", "end"]))] = draw(st.sampled_from([-1, 99, "x", None]))
    else:
        name = draw(st.sampled_from([name for name in row if name != "label"]))
        if draw(st.booleans()) and kind != "text":
            del row[name]
        else:
            row[name] = draw(NOT_TEXT.filter(lambda value: not isinstance(value, list) or kind != "preference"))
    return row


@st.composite
def bad_files(draw: Any) -> tuple[str, str, bytes]:
    """A recipe, a file's name, and bytes that it cannot be trained from."""
    kind = draw(st.sampled_from(sorted(RECIPES)))
    lines = [json.dumps(good(kind, word)) for word in draw(st.lists(TEXT, min_size=1, max_size=6))]
    where = draw(st.integers(0, len(lines)))
    way = draw(
        st.sampled_from(["row", "cut", "bytes", "empty", "columns", "gzip", "parquet", "list", "extension", "csv"])
    )
    name, text = "rows.jsonl", ""
    if way == "row":
        lines.insert(where, json.dumps(draw(bad_rows(kind))))
    elif way == "cut":
        whole = lines[where - 1]
        lines.insert(where, whole[: draw(st.integers(1, len(whole) - 1))])
    elif way == "columns":
        lines = [json.dumps({draw(st.sampled_from(["frage", "x1", "foo"])): n}) for n in range(len(lines))]
    elif way == "list":
        lines.insert(where, draw(st.sampled_from(["[1, 2]", "17", '"text"', "null", "NaN", "{'a': 1}", "<html>"])))
    elif way == "empty":
        lines = [""] * draw(st.integers(0, 4))
    text = "\n".join(lines)
    raw = text.encode()
    if way == "bytes":
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from([b"\xff\xfe", b"\x80", b"\xc3\x28"])) + raw[at:]
    elif way == "gzip":
        name, packed = "rows.jsonl.gz", gzip.compress(raw)
        raw = draw(st.sampled_from([raw, packed[: len(packed) // 2], b"", b"\x1f\x8b" + raw]))
    elif way == "parquet":
        name, raw = "rows.parquet", draw(st.sampled_from([raw, b"", b"PAR1", b"PAR1" + raw + b"PAR1"]))
    elif way == "extension":
        name = draw(st.sampled_from(["rows.doc", "rows.xyz", "rows"]))
    elif way == "csv":
        name, raw = "rows.csv", draw(st.sampled_from([b"", b"\n\n", b"frage,x1\n1,2\n", b"a,b\n1\n1,2,3\n"]))
    return RECIPES[kind], name, raw


OPTIONS = st.sampled_from(
    [
        "training.steps", "training.epochs", "training.learning_rate", "training.global_batch_size", "training.max_length",
        "training.warmup", "training.weight_decay", "training.precision", "training.schedule", "training.optimizer",
        "training.keep_checkpoints", "seed", "holdout", "objective", "tokenizer", "adapter", "model", "decoding.top_p",
        "decoding.beams", "training.device", "training.final_rate",
    ]
)  # fmt: skip
VALUES = st.sampled_from(["-1", "x", "1e", "[", "{", "none!", "2.5.1", "nan?", "''", "--", "=", "true-ish", "Ω", "1,2"])


@st.composite
def bad_overrides(draw: Any) -> list[str]:
    """Overrides of which one is certainly wrong."""
    way = draw(st.sampled_from(["value", "option", "form", "recipe"]))
    if way == "value":
        return ["sft_chat", f"{draw(OPTIONS)}={draw(VALUES)}"]
    if way == "option":
        path = draw(st.sampled_from(["training", "objective", "model", "decoding", "data", ""]))
        wrong = draw(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12))
        return ["sft_chat", f"{path}.zz{wrong}=1".lstrip(".")]
    if way == "form":
        return ["sft_chat", draw(st.sampled_from(["steps", "training.", ".=1", "=1", "training.steps:3", "-x"]))]
    return [draw(st.sampled_from(["sft_chta", "gone.py", "a/b/c.json", "no.such.module", "no.such:thing", "."]))]


def refused(words: list[str]) -> str:
    """The one sentence that `smolrecipes ...` ends with, with exit code 2; AssertionError for anything else."""
    from smolrecipes.__main__ import _status

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = _status(words)
    lines = [line for line in said.getvalue().splitlines() if line.startswith("error")]
    assert code == 2, (code, said.getvalue())
    assert len(lines) == 1 and "Traceback" not in said.getvalue(), said.getvalue()
    assert 20 < len(lines[0]) < 1_200, lines[0]
    return lines[0]


def is_refused(folder: Path, case: tuple[str, str, bytes]) -> None:
    """That a bad file is one sentence, and nothing is trained."""
    recipe, name, content = case
    (folder / name).write_bytes(content)
    refused(["run", recipe, f"data={folder / name}", "--runs", str(folder / "runs")])
    assert untouched(folder)


def untouched(folder: Path) -> bool:
    """Whether nothing was trained there."""
    return not [name for _, names, _ in os.walk(folder) for name in names if name in ("checkpoints", "model")]
