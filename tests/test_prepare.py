"""Rows into examples: every token once, prepared once, and what was lost is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smolrecipes.component import option
from smolrecipes.data.rows import make
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Layout
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.sft import SFT
from smolrecipes.prepare import prepare
from smolrecipes.tokenizers.byte_bpe import ByteBPE

IGNORE = -100
PREPARED: list[str] = []
"""The origins that `Counting` was asked to prepare."""


class Counting(SFT, name="counting"):
    """SFT that notes what it prepares."""

    note: str = option(default="", affects_weights=False)
    """Changes nothing."""

    def prepare(self, row: dict[str, Any], tokenizer: Any, max_length: int) -> dict[str, Any] | None:
        PREPARED.append(row["origin"])
        return super().prepare(row, tokenizer, max_length)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return ByteBPE(vocab_size=280).build(make("text", [{"text": "one two three", "origin": "here:1"}]))


@pytest.fixture(autouse=True)
def _nothing_prepared() -> None:
    PREPARED.clear()


def chats(*answers: str) -> Dataset:
    def chat(answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]

    return make(
        "messages", ({"messages": chat(a), "tools": None, "origin": f"chat:{i}"} for i, a in enumerate(answers))
    )


@given(st.lists(st.integers(2, 30), min_size=1, max_size=12), st.integers(1, 40))
@example([2], 1)
@example([5, 4], 8)  # nine tokens: exactly one block
@settings(max_examples=150, deadline=None)
def test_every_token_but_the_first_is_a_target_once(documents: list[int], max_length: int) -> None:
    ids = iter(range(1, sum(documents) + 1))  # every position has an id of its own
    made = [{"input_ids": [next(ids) for _ in range(size)], "origin": f"doc:{i}"} for i, size in enumerate(documents)]
    blocks = CLM().arrange(Dataset.from_list(made), max_length)
    batch = CLM().collate(list(blocks), Layout())
    assert batch["input_ids"].shape[1] <= max_length
    learned, before = batch["labels"].tolist(), batch["input_ids"].flatten()[batch["at"]]
    assert sorted(learned) == list(range(2, sum(documents) + 1))
    assert (batch["labels"] - before).tolist() == [1] * len(learned)  # each is predicted from the one before
    assert CLM().counts(batch) == {"tokens": len(learned)}
    owners = {token: row["origin"] for row in made for token in row["input_ids"]}
    assert blocks["origin"] == [owners[block[0]] for block in blocks["input_ids"]]


def test_documents_are_joined_with_an_end_each(tokenizer: Any, tmp_path: Path) -> None:
    rows = make("text", [{"text": text, "origin": f"a:{i}"} for i, text in enumerate(["one", "", "two"])])
    found = prepare(rows, CLM(), tokenizer, 100, tmp_path)
    assert tokenizer.decode(found.examples[0]["input_ids"]) == "one<|endoftext|>two<|endoftext|>"
    assert (found.rows, found.dropped, found.sentence) == (3, 1, "1 rows dropped: nothing left to learn")


def test_the_same_rows_are_prepared_once(tokenizer: Any, tmp_path: Path) -> None:
    first = prepare(chats("one", "two"), Counting(), tokenizer, 50, tmp_path)
    assert PREPARED == ["chat:0", "chat:1"]
    second = prepare(chats("one", "two"), Counting(note="another"), tokenizer, 50, tmp_path)
    assert len(PREPARED) == 2 and second.examples[:] == first.examples[:]
    assert len(list(tmp_path.iterdir())) == 1


def test_whatever_changes_the_ids_makes_another_entry(tokenizer: Any, tmp_path: Path) -> None:
    plain = ByteBPE(vocab_size=280, chat_template="none").build(make("text", [{"text": "one two", "origin": "h:1"}]))
    asked = [
        (chats("one", "two"), Counting(), tokenizer, 50),
        (chats("one", "too"), Counting(), tokenizer, 50),
        (chats("one", "two"), Counting(learn="all"), tokenizer, 50),
        (chats("one", "two"), Counting(), tokenizer, 51),
        (chats("one", "two"), Counting(), plain, 50),
        (chats("one", "two"), SFT(), tokenizer, 50),
    ]
    for count, (rows, objective, words, length) in enumerate(asked, 1):
        prepare(rows, objective, words, length, tmp_path)
        assert len(list(tmp_path.iterdir())) == count
    labels = [prepare(*each, tmp_path).examples["labels"] for each in (asked[0], asked[2])]
    assert labels[0] != labels[1] and IGNORE not in labels[1][0]


def test_rows_that_are_dropped_or_cut_are_counted(tokenizer: Any, tmp_path: Path) -> None:
    rows = chats("a", "a" * 60, "b", "c" * 70)
    whole = prepare(rows, SFT(), tokenizer, 100, tmp_path)
    assert (whole.dropped, whole.cut, whole.sentence) == (0, 0, "")
    longest = len(whole.examples[0]["input_ids"])
    some = prepare(rows, SFT(), tokenizer, longest, tmp_path)
    assert (some.dropped, some.cut, some.sentence) == (0, 2, f"2 of {some.rows} rows cut at training.max_length")
    assert {len(ids) for ids in some.examples["input_ids"]} == {longest}
    user = {"role": "user", "content": "?" * 80}
    long = [{"messages": [user, {"role": "assistant", "content": "a"}], "tools": None, "origin": "chat:9"}]
    both = make("messages", [*({k: row[k] for k in ("messages", "tools", "origin")} for row in rows), *long])
    found = prepare(both, SFT(), tokenizer, longest, tmp_path)
    assert found.sentence == f"1 rows dropped: nothing left to learn; 2 of {found.rows} rows cut at training.max_length"
    with pytest.raises(RecipeError, match="none of the 4 rows is left to learn from at training.max_length=3"):
        prepare(rows, SFT(), tokenizer, 3, tmp_path)


def test_a_mistake_names_the_row(tokenizer: Any, tmp_path: Path) -> None:
    class Refusing(SFT, name="refusing"):
        """Refuses a row."""

        def prepare(self, row: dict[str, Any], tokenizer: Any, max_length: int) -> None:
            raise RecipeError("not this one")

    with pytest.raises(RecipeError, match="chat:0: not this one"):
        prepare(chats("one"), Refusing(), tokenizer, 50, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_a_sentence(tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(RecipeError, match="cache: cannot write there"):
        prepare(chats("one"), SFT(), tokenizer, 50, tmp_path / "cache")
