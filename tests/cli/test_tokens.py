"""`smolrecipes tokens`: numbers by language or file, two side by side; mistakes are one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smolrecipes import ByteBPE, Toy, run
from smolrecipes.load import load_recipe

SMALL = ("data.rows=60", "tokenizer.vocab_size=400")


def test_two_are_compared_by_language(cli: Any) -> None:
    out = cli("tokens", "pretrain_clm", *SMALL, "pretrain_clm", *SMALL, "tokenizer=words").out
    lines = {line.split("  ")[0].strip(): line.split() for line in out.splitlines() if line}
    assert lines["vocabulary"][1:] == ["400", "400"]
    assert lines["tokens per word"][3] == "en" and len(lines["tokens per word"]) == 6
    assert "100.0%" in lines["comes back"] and "(spaces, unknown characters)" in out
    assert "pretrain_clm data.rows=60 tokenizer.vocab_size=400, it" in out


def test_the_numbers_for_programs(cli: Any) -> None:
    (found,) = json.loads(cli("tokens", "pretrain_clm", *SMALL, "--json").out)
    english = found["groups"]["en"]
    assert set(found["groups"]) == {"en", "it"} and found["vocabulary"] == 400
    assert english["fertility"] == english["tokens"] / english["words"]
    assert english["bytes_per_token"] == english["bytes"] / english["tokens"] and english["changed"] == 0
    assert "".join(found["split"]["en"]) in next(iter(Toy("stories", rows=60, languages=("en",)).load()["text"]))


def test_files_are_groups_and_a_name_learns_from_them(cli: Any) -> None:
    Path("a.txt").write_text("the cat sat on the mat\n\n" * 20, encoding="utf-8")
    Path("b.txt").write_text("è già così\n\n" * 20, encoding="utf-8")
    (found,) = json.loads(cli("tokens", "characters", "--data", "a.txt,b.txt", "--json").out)
    assert set(found["groups"]) == {"a.txt", "b.txt"}
    assert found["groups"]["a.txt"]["bytes_per_token"] == 1.0
    assert found["groups"]["b.txt"]["unknown"] == 0


def test_a_run_and_a_folder(cli: Any) -> None:
    small = ["model.hidden=16", "model.layers=1", "model.heads=2", "model.kv_heads=1", "decoding.max_new_tokens=1"]
    short = ["training.epochs=none", "training.steps=1", "training.max_length=32", "training.device=cpu"]
    finished = run(load_recipe("pretrain_clm", [*SMALL, *small, *short]))
    done = cli("tokens", str(finished.folder), str(finished.model), "--json")
    ours, folder = json.loads(done.out)
    assert ours["groups"] == folder["groups"] and set(ours["groups"]) == {"en", "it"}
    assert cli("tokens", str(finished.model)).err.startswith("error: tokens: there is no recipe here")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "no recipe named 'nothing'"),
        (("byte_bpe",), "no recipe here whose data it could read; name some, as in --data a.txt"),
        (("byte_bpe", "--data", "no.txt"), "no.txt: no such file"),
        (("byte_bpe", "vocab_size=3"), "only a recipe's options are changed"),
        (("pretrain_clm", "words", "bytes"), "tokens takes one source or two, not 3"),
        (("pretrain_clm", "tokenizer.vocab=3"), "did you mean 'vocab_size'"),
    ],
)
def test_a_mistake_is_one_sentence(cli: Any, words: tuple[str, ...], said: str) -> None:
    done = cli("tokens", *words)
    assert done.code == 2 and done.out == ""
    assert done.err.startswith("error: ") and said in done.err and done.err.count("\n") == 1


def test_the_recipe_is_not_changed_by_looking() -> None:
    assert load_recipe("pretrain_clm").tokenizer == ByteBPE(vocab_size=1536)
