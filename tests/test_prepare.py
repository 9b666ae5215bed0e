"""Rows into examples: every token once, prepared once, and what was lost is counted."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smolrecipes import workers
from smolrecipes.component import option
from smolrecipes.data.rows import make
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Layout, Objective
from smolrecipes.objectives import blocks as making
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.dpo import DPO
from smolrecipes.objectives.grpo import GRPO
from smolrecipes.objectives.kto import KTO
from smolrecipes.objectives.packing import best_fit
from smolrecipes.objectives.sft import SFT
from smolrecipes.prepare import prepare, what_it_reads
from smolrecipes.registry import registry
from smolrecipes.tokenizers.byte_bpe import ByteBPE

IGNORE = -100
BUILT_IN = [part for part, _ in registry().all() if part.kind == "objective" and part.__module__.startswith("smolrec")]
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
@settings(max_examples=150)
def test_every_token_but_the_first_is_a_target_once(documents: list[int], max_length: int) -> None:
    ids = iter(range(1, sum(documents) + 1))  # every position has an id of its own
    made = [{"input_ids": [next(ids) for _ in range(size)], "origin": f"doc:{i}"} for i, size in enumerate(documents)]
    blocks = CLM().arrange(Dataset.from_list(made), max_length, None)  # type: ignore[arg-type]
    batch = CLM().collate(list(blocks), Layout())
    assert batch["input_ids"].shape[1] <= max_length
    learned, before = batch["labels"].tolist(), batch["input_ids"].flatten()[batch["at"]]
    assert sorted(learned) == list(range(2, sum(documents) + 1))
    assert (batch["labels"] - before).tolist() == [1] * len(learned)  # each is predicted from the one before
    assert CLM().counts(batch) == {"tokens": len(learned)}
    owners = {token: row["origin"] for row in made for token in row["input_ids"]}
    assert blocks["origin"] == [owners[block[0]] for block in blocks["input_ids"]]


@given(st.lists(st.integers(2, 30), min_size=1, max_size=12), st.integers(1, 40))
@settings(max_examples=100)
def test_separate_documents_are_whole_where_they_fit(documents: list[int], max_length: int) -> None:
    ids = iter(range(1, sum(documents) + 1))
    made = [{"input_ids": [next(ids) for _ in range(size)], "origin": f"doc:{i}"} for i, size in enumerate(documents)]
    separate = CLM(documents="separate")
    blocks = separate.arrange(Dataset.from_list(made), max_length, None)  # type: ignore[arg-type]
    assert all(sum(block["sizes"]) - len(block["sizes"]) <= max_length for block in blocks)
    batch = separate.collate(list(blocks), Layout(packed=True))
    first = {row["input_ids"][0] for row in made}
    assert sorted(batch["labels"].tolist()) == [i for row in made for i in row["input_ids"] if i not in first]
    pieces = [row["input_ids"] for row in made if len(row["input_ids"]) <= max_length + 1]
    found = [
        block["input_ids"][sum(block["sizes"][:i]) :][:size]
        for block in blocks
        for i, size in enumerate(block["sizes"])
    ]
    assert all(piece in found for piece in pieces)
    owners = {token: row["origin"] for row in made for token in row["input_ids"]}
    assert blocks["origin"] == [owners[block[0]] for block in blocks["input_ids"]]


@given(st.lists(st.integers(1, 40), max_size=60))
def test_best_fit_wastes_less_than_a_quarter(sizes: list[int]) -> None:
    blocks = best_fit(sizes, 40)
    assert sorted(piece for block in blocks for piece in block) == list(range(len(sizes)))
    loads = [sum(sizes[piece] for piece in block) for block in blocks]
    assert all(load <= 40 for load in loads)
    assert len(blocks) <= 11 / 9 * max(1, -(-sum(sizes) // 40)) + 6 / 9 + sum(size > 20 for size in sizes)


def test_a_separate_document_is_predicted_from_its_start(tokenizer: Any, tmp_path: Path) -> None:
    rows = make("text", [{"text": text, "origin": f"a:{i}"} for i, text in enumerate(["one", "two"])])
    found = prepare(rows, CLM(documents="separate"), tokenizer, 100, tmp_path)
    assert tokenizer.decode(found.examples[0]["input_ids"]).count("<|endoftext|>") == 4
    assert len(found.examples[0]["sizes"]) == 2


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


def test_messages_that_spell_control_tokens_are_counted(tokenizer: Any, tmp_path: Path) -> None:
    said = "1 messages spell control tokens, which are read as text"
    assert prepare(chats("a", "<|im_end|>", "<|im_end"), SFT(), tokenizer, 100, tmp_path).sentence == said
    asked, bad = ([{"role": role, "content": "<|pad|>"}] for role in ("user", "assistant"))
    pair = {"prompt": asked, "chosen": bad, "rejected": chats("b")[0]["messages"][1:], "tools": None, "origin": "p:1"}
    pairs = Dataset.from_list([pair])
    assert (
        prepare(pairs, DPO(), tokenizer, 100, tmp_path).spelt
        == prepare(pairs, KTO(), tokenizer, 100, tmp_path).spelt
        == 2
    )
    judged = Dataset.from_list([{"prompt": asked, "completion": bad, "label": True, "tools": None, "origin": "p:1"}])
    assert prepare(judged, KTO(), tokenizer, 100, tmp_path).spelt == 2


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


def texts(*some: str) -> Dataset:
    return make("text", ({"text": text, "origin": f"text:{i}"} for i, text in enumerate(some)))


def test_a_batch_of_texts_gives_the_ids_of_each(tokenizer: Any, tmp_path: Path) -> None:
    some = [f"{n} one two\tthree <|endoftext|> é{n % 7}" for n in range(2_345)]
    found = prepare(texts(*some), CLM(), tokenizer, 50, tmp_path).examples["input_ids"]
    one_by_one = [
        i for text in some for i in [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    ]
    assert [i for ids in found for i in ids[:-1]] + found[-1][-1:] == one_by_one


def test_a_stored_limit_of_the_tokenizer_cuts_nothing(tmp_path: Path) -> None:
    cutting = ByteBPE(vocab_size=280).build(texts("one two three"))
    cutting.backend_tokenizer.enable_truncation(2)
    cutting.backend_tokenizer.enable_padding(length=9)
    found = prepare(texts("one two", "three"), CLM(), cutting, 100, tmp_path)
    assert cutting.decode(found.examples[0]["input_ids"]) == "one two<|endoftext|>three<|endoftext|>"
    cutting.backend_tokenizer.enable_truncation(2)
    prepare(texts("one two", "three"), CLM(), cutting, 100, tmp_path)
    assert len(list(tmp_path.glob("tokens-*"))) == 1


def test_a_prepare_of_one_s_own_is_not_passed_over(tokenizer: Any, tmp_path: Path) -> None:
    class Upper(CLM, name="upper"):
        """Learns to shout."""

        def prepare(self, row: dict[str, Any], tokenizer: Any, max_length: int) -> dict[str, Any] | None:
            return super().prepare({**row, "text": row["text"].upper()}, tokenizer, max_length)

    found = prepare(texts("one", "two"), Upper(), tokenizer, 100, tmp_path)
    assert tokenizer.decode(found.examples[0]["input_ids"]) == "ONE<|endoftext|>TWO<|endoftext|>"


def test_long_streams_become_several_chunks(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Dataset.from_list([{"input_ids": list(range(n, n + 10)), "origin": f"doc:{n}"} for n in range(0, 100, 10)])
    whole = CLM().arrange(made, 7, None)  # type: ignore[arg-type]
    monkeypatch.setattr(making, "MOST", 20)  # two blocks
    cut = CLM().arrange(made, 7, None)  # type: ignore[arg-type]
    assert cut.data.column("input_ids").num_chunks == 8 and cut[:] == whole[:]


@pytest.mark.parametrize(
    "method",
    [pytest.param("fork", marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")), "spawn"],
)
def test_processes_change_nothing(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], method: str
) -> None:
    rows = chats(*(f"{n} and " * (n % 9) for n in range(450)))
    tokenizer(["so that its threads were used", "before a process is forked"])
    alone = prepare(rows, SFT(), tokenizer, 40, tmp_path / "alone", threads=1)
    monkeypatch.setattr(workers, "METHOD", method)
    monkeypatch.setattr(workers, "WORTH", {method: 100})
    asked: list[Any] = []
    inner = workers._shared_out
    monkeypatch.setattr(workers, "_shared_out", lambda *given: asked.append(given) or inner(*given))
    before = dict(os.environ)
    shared = prepare(rows, SFT(), tokenizer, 40, tmp_path / "shared", threads=2)
    assert len(asked) == 1 and shared.sentence == alone.sentence != ""
    assert shared.examples[:] == alone.examples[:] and shared.examples.features == alone.examples.features
    assert dict(os.environ) == before and capfd.readouterr().err == ""
    mine = Counting()
    monkeypatch.setattr(Counting, "__module__", "_recipe_mine_0")
    prepare(rows, mine, tokenizer, 40, tmp_path / "own", threads=2)
    assert len(asked) == 1 + (method == "fork")  # its class is not to be found by a process that starts anew


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")
def test_a_mistake_in_another_process_names_the_row(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Picky(SFT, name="picky"):
        """Refuses two rows."""

        def prepare(self, row: dict[str, Any], tokenizer: Any, max_length: int) -> dict[str, Any] | None:
            if row["origin"] in ("chat:333", "chat:222"):
                raise RecipeError("not this one")
            if row["origin"] == "chat:440" and max_length == 41:
                os._exit(9)
            return super().prepare(row, tokenizer, 40)

    monkeypatch.setattr(workers, "WORTH", {"fork": 100})
    rows = chats(*map(str, range(450)))
    with pytest.raises(RecipeError, match="^chat:222: not this one$"):
        prepare(rows, Picky(), tokenizer, 40, tmp_path, threads=2)
    with pytest.raises(RecipeError, match="a process that prepared rows died.*training.threads=1"):
        prepare(rows.select(range(335, 450)), Picky(), tokenizer, 41, tmp_path, threads=2)
    assert not list(tmp_path.iterdir())


class Margin(SFT, name="margin"):
    """An objective whose loss has an option that no row depends on."""

    prepare_reads = ("learn",)
    margin: float = 1.0
    """Only the loss reads it."""


class Shifted(Margin, name="shifted"):
    """Reads it after all: what a parent says does not hold for it."""

    def prepare(self, row: dict[str, Any], tokenizer: Any, max_length: int) -> dict[str, Any] | None:
        return super().prepare(row, tokenizer, max_length + int(self.margin))


def test_what_only_the_loss_reads_prepares_nothing_anew(tokenizer: Any, tmp_path: Path) -> None:
    def entries(*asked: Objective) -> int:
        shutil.rmtree(tmp_path, ignore_errors=True)
        for objective in asked:
            prepare(chats("one", "two"), objective, tokenizer, 50, tmp_path)
        return len(list(tmp_path.iterdir()))

    assert entries(Margin(margin=1.0), Margin(margin=2.0)) == 1
    assert entries(Margin(), Margin(learn="all")) == 2
    assert entries(Shifted(margin=1.0), Shifted(margin=2.0)) == 2
    assert entries(Margin(), Shifted(), SFT()) == 3
    answers = make("pair", [{"source": "one", "target": "two", "origin": "here:1"}])
    for beta in (0.0, 0.1):
        prepare(answers, GRPO(beta=beta, max_new_tokens=4), tokenizer, 50, tmp_path / "grpo")
    assert len(list((tmp_path / "grpo").iterdir())) == 1


def reads(objective: type[Objective], names: Iterable[str], seen: set[str]) -> set[str]:
    """The options that methods read, and those that they call on the same object."""
    found: set[str] = set()
    for name in set(names) - seen:
        seen.add(name)
        bodies = [vars(cls)[name] for cls in objective.__mro__ if name in vars(cls)]
        code = ""
        for body in bodies:
            code += inspect.getsource(getattr(body, "fget", None) or getattr(body, "__func__", body))
            if f"super().{name}" not in code:
                break
        used = set(re.findall(r"self\.(\w+)", code))
        own = {
            one
            for one in used
            if callable(getattr(objective, one, None)) or isinstance(vars(objective).get(one), property)
        }
        own |= {one for cls in objective.__mro__ for one in used if isinstance(vars(cls).get(one), property)}
        found |= used & set(objective.options())
        found |= reads(objective, own - set(objective.options()), seen)
    return found


@pytest.mark.parametrize("objective", BUILT_IN, ids=lambda cls: cls.name)
def test_what_is_said_of_a_prepare_is_what_its_code_reads(objective: type[Objective]) -> None:
    if objective.prepare_reads is None:
        pytest.skip("says nothing, so that every option counts")
    assert reads(objective, ("prepare", "prepare_many", "arrange"), set()) == set(objective.prepare_reads)


def test_a_sweep_over_beta_keeps_rows_and_reference() -> None:
    assert what_it_reads(DPO(beta=0.1)) == what_it_reads(DPO(beta=0.5, variant="ipo"))
    assert what_it_reads(SFT()) == what_it_reads(SFT(engine="trl")) != what_it_reads(SFT(learn="all"))


def test_examples_are_read_from_the_file(tokenizer: Any, tmp_path: Path) -> None:
    for objective, rows in ((CLM(), texts("one two three")), (SFT(), chats("one"))):
        found = prepare(rows, objective, tokenizer, 50, tmp_path).examples
        assert [Path(file["filename"]).parent for file in found.cache_files] == [tmp_path]


@pytest.mark.parametrize("stopped", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_write_that_is_broken_off_leaves_nothing(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: BaseException
) -> None:
    def stop(file: int) -> None:
        raise stopped

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", stop)
        with pytest.raises((KeyboardInterrupt, RecipeError)) as told:
            prepare(chats("one"), SFT(), tokenizer, 50, tmp_path)
    assert not list(tmp_path.iterdir())
    assert isinstance(stopped, KeyboardInterrupt) or "cannot write there (No space left" in str(told.value)
    assert len(prepare(chats("one"), SFT(), tokenizer, 50, tmp_path).examples) == 1


def test_two_that_write_the_same_do_each_other_no_harm(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals: list[Dataset] = []

    def meanwhile(file: int) -> None:
        monkeypatch.undo()
        rivals.append(prepare(chats("one"), SFT(), tokenizer, 50, tmp_path).examples)

    monkeypatch.setattr(os, "fsync", meanwhile)
    mine = prepare(chats("one"), SFT(), tokenizer, 50, tmp_path).examples
    assert mine[:] == rivals[0][:] and len(list(tmp_path.iterdir())) == 1
