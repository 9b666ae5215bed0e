from __future__ import annotations

from typing import Any

import pytest

import smolrecipes
from smolrecipes import BERT


def test_the_lines_to_paste_make_the_model(cli: Any) -> None:
    done = cli("plan", "bert", "1M")
    assert done.code == 0 and "layers of" in done.out and "of the parameters" in done.out
    made = dict(line.strip().rstrip(",").split("=", 1) for line in done.out.splitlines()[2:])
    model = eval(made["model"], vars(smolrecipes))
    assert model == BERT.sized("1M") and f"vocab_size={BERT.plan('1M').vocabulary}" in made["tokenizer"]
    assert "specials='bert'" in made["tokenizer"]


def test_a_tokenizer_that_is_there_is_taken_as_it_is(cli: Any) -> None:
    done = cli("plan", "llama", "10M", "--vocabulary", "8192")
    assert done.code == 0 and "tokenizer=" not in done.out and "a vocabulary of 8,192" in done.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lama", "10M"], "did you mean 'llama'"),
        (["llama", "ten"], "a budget is a number of parameters such as 10M"),
        (["trained", "10M"], "plan is for a model from scratch"),
    ],
)
def test_mistakes_are_sentences(cli: Any, words: list[str], sentence: str) -> None:
    done = cli("plan", *words)
    assert done.code == 2 and sentence in done.err
