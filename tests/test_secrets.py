"""Tokens and passwords reach no file of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from powercut import RECIPE

from smolrecipes import RecipeError, run
from smolrecipes.secrets import hidden

TOKEN = "hf_" + "aBcD1234" * 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"run x training.hf.hub_token={TOKEN}", "run x training.hf.hub_token=***"),
        (f"run x note={TOKEN}", "run x note=***"),
        ("data=s3://me:secret@host/file.jsonl", "data=s3://***@host/file.jsonl"),
        ("data=https://host/file.jsonl?token=abc&x=1", "data=https://host/file.jsonl?token=***&x=1"),
        ("run x api_key=it's=more\"so&x=1", "run x api_key=***&x=1"),
        ("https://h/a?X-Amz-Signature=12ab&X-Amz-Date=1", "https://h/a?X-Amz-Signature=***&X-Amz-Date=1"),
        ("https://h/a?sv=1&sig=12ab%3D", "https://h/a?sv=1&sig=***"),
        ("Files('https://h/a?token=12ab').pipe(FixText())", "Files('https://h/a?token=***').pipe(FixText())"),
        ("training.tokens=5000 tokenizer.vocab_size=300", "training.tokens=5000 tokenizer.vocab_size=300"),
        ("decoding.max_new_tokens=5", "decoding.max_new_tokens=5"),
    ],
)
def test_what_is_secret_is_blacked_out_and_nothing_else(text: str, shown: str) -> None:
    assert hidden(text) == shown


def test_no_file_of_a_run_holds_the_command_s_token(tmp_path: Path) -> None:
    run(RECIPE, runs=tmp_path, command=f"smolrecipes run x --token={TOKEN}")
    texts = [path for path in tmp_path.rglob("*.json*") if path.is_file()]
    assert texts and not any(TOKEN in path.read_text(encoding="utf-8") for path in texts)


def test_a_token_is_no_option_of_a_recipe(tmp_path: Path) -> None:
    recipe = RECIPE.replace(training=RECIPE.training.replace(hf={"hub_token": TOKEN}))
    with pytest.raises(RecipeError, match="hub_token.*HF_TOKEN") as found:
        run(recipe, runs=tmp_path)
    assert TOKEN not in str(found.value) and not list(tmp_path.glob("tiny-*"))
