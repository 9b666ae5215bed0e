"""Evaluators: numbers that a hand can compute, rows that can be compared, and the command that prints them."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finished import command
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import (
    BERT,
    SFT,
    Answers,
    ByteBPE,
    Chats,
    Classify,
    Decoding,
    Evaluate,
    ExactMatch,
    Files,
    Forgetting,
    FunctionCalls,
    Likelihood,
    Llama,
    Preferences,
    Recipe,
    RecipeError,
    Speed,
    Subject,
    Toy,
    Training,
    WordPiece,
    run,
)  # fmt: skip
from smolrecipes.cli.scores import confusion
from smolrecipes.evaluation import difference, evaluate, spread, subject_of
from smolrecipes.evaluators.exact_match import final_number
from smolrecipes.evaluators.function_calls import calls


def recipe(folder: Path, **changes: Any) -> Recipe:
    rows = [
        {"user": f"Is {n} even?", "assistant": "yes" if n % 2 == 0 else "no"} for n in range(60)
    ]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {
        "tokenizer": ByteBPE(vocab_size=300, chat_template="chatml"),
        "model": Llama(layers=1, hidden=32, heads=2, max_length=64),
        "data": Files(str(folder / "rows.jsonl")), "objective": SFT(), "validation": 12,
        "training": Training(steps=3, global_batch_size=4, max_length=64, rehearse=False), "title": "even",
        "decoding": Decoding(max_new_tokens=4),
    }  # fmt: skip
    return Recipe(**{**given, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("evaluated")
    return run(recipe(folder), runs=folder / "runs")


@pytest.fixture(scope="module")
def subject(trained: Any) -> Subject:
    return subject_of(trained.model)


def test_likelihood_is_the_held_out_loss_of_the_run(trained: Any, subject: Subject) -> None:
    found = evaluate(Likelihood(), subject)
    assert len(found.origins) == found.of == 12
    assert found.numbers["loss"] == pytest.approx(trained.results["after"]["loss"], rel=1e-5)
    assert found.numbers["perplexity"] == pytest.approx(math.exp(found.numbers["loss"]))
    said = sum(3 if int(shown) % 2 == 0 else 2 for shown in _numbers(found.origins))
    nats = float(found.columns["nll"].sum())
    assert found.numbers["bits_per_byte"] == pytest.approx(nats / math.log(2) / said)


def _numbers(origins: tuple[str, ...]) -> list[int]:
    return [int(origin.rpartition(":")[2]) - 1 for origin in origins]


def test_a_long_text_is_read_in_pieces_each_token_once(subject: Subject, tmp_path: Path) -> None:
    """What a single pass over each piece, computed by hand, comes to."""
    text = "Tom has a red ball. " * 20
    (tmp_path / "long.jsonl").write_text(json.dumps({"text": text}) + "\n")
    found = evaluate(Likelihood(data=Files(str(tmp_path / "long.jsonl"))), subject)
    tokenizer = subject.tokenizer
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = [start, *tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    nll = 0.0
    for cut in range(0, len(ids) - 1, 64):
        piece = torch.tensor([ids[cut : cut + 65]])
        logps = subject.model(input_ids=piece[:, :-1]).logits.log_softmax(-1)
        nll -= float(logps.gather(-1, piece[:, 1:, None]).sum())
    assert found.columns["tokens"][0] == len(ids) - 1 and len(ids) > 129
    assert found.columns["nll"][0] == pytest.approx(nll, rel=1e-5)
    assert found.numbers["bits_per_byte"] == pytest.approx(nll / math.log(2) / len(text))


def told(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> None:
    def answered(subject: Any, asked: list[Any], tools: list[Any], decoding: Any = None) -> list[str]:
        return [answers[one[-1]["content"]] for one in asked]

    for module in ("answers", "classify"):
        monkeypatch.setattr(f"smolrecipes.evaluators.{module}.answered", answered)


def test_exact_match_and_the_rows_that_differ(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, {f"Is {n} even?": "yes " for n in range(60)})
    one = evaluate(ExactMatch(), subject)
    even = [n % 2 == 0 for n in _numbers(one.origins)]
    assert one.numbers["exact_match"] == pytest.approx(sum(even) / 12)
    told(monkeypatch, {f"Is {n} even?": "no" for n in range(60)})
    other = evaluate(ExactMatch(), subject)
    gap = difference(one, other)
    assert gap.numbers["exact_match"] == pytest.approx(1 - 2 * sum(even) / 12) and len(gap.rows) == 12
    low, high = gap.intervals["exact_match"]
    assert low <= gap.numbers["exact_match"] <= high and high - low > 0.2
    assert one.scores.shown[0].keys() == {"asked", "answered", "right"}


def test_classes_by_likelihood_by_generation_and_by_hand(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluate(Classify(), subject)
    for shown in found.scores.shown:  # by hand: a whole conversation for each of the two answers
        logps = {}
        for said in ("no", "yes"):
            turns = [{"role": "user", "content": shown["asked"]}]
            asked = subject.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
            spelt = subject.tokenizer(said)["input_ids"]
            ids = [*asked, *spelt, subject.tokenizer.convert_tokens_to_ids("<|im_end|>")]
            steps = subject.model(input_ids=torch.tensor([ids])).logits.log_softmax(-1)[0]
            logps[said] = sum(float(steps[at - 1, ids[at]]) for at in range(len(asked), len(ids)))
        assert shown["answered"] == max(logps, key=lambda said: logps[said])
    told(monkeypatch, {f"Is {n} even?": "yes" if n % 3 else "maybe" for n in range(60)})
    found = evaluate(Classify(by="generation"), subject)
    assert set(found.columns["found"]) <= {1.0, 2.0}  # "yes" is the second class, another answer is none
    taken = Classify().confusion(found.scores)
    assert sum(n for answers in taken.values() for n in answers.values()) == len(found.origins)
    assert confusion(evaluate(Likelihood(), subject)) == {}
    measured = Classify().measure({"right": np.array([0, 0, 1, 1.0]), "found": np.array([0, 1, 1, 2.0])})
    assert measured == {"accuracy": 0.5, "macro_f1": pytest.approx((2 / 3 + 0.5) / 2)}


@pytest.mark.parametrize(
    ("text", "number"),
    [("it is 1,000.0", "1000"), ("5 + 3 = 8\n#### 8 apples", "8"), ("-3.50", "-3.5"), ("none", None), ("#### ", None)],
)
def test_final_numbers(text: str, number: str | None) -> None:
    assert final_number(text) == (None if number is None else Decimal(number))


CALL = '{"name": "set_timer", "arguments": {"minutes": 2}}'


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (f"<tool_call>{CALL}</tool_call>", 1),
        (CALL, 1),
        (CALL.replace("arguments", "parameters"), 1),
        (f"<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>", 2),
        ("I cannot do that.", 0),
        ('<tool_call>{"name": "set_timer", ', None),
        ('{"name": 3, "arguments": {}}', None),
    ],
)
def test_calls_are_read(answer: str, found: int | None) -> None:
    read = calls(answer)
    assert read is None if found is None else read is not None and len(read) == found


@given(st.text())
def test_any_answer_is_calls_or_none(answer: str) -> None:
    read = calls(answer)
    assert read is None or all(set(call) == {"name", "arguments"} for call in read)


def test_function_calls_are_graded(subject: Subject) -> None:
    rows = list(Toy("functions", rows=40))
    called = next(row for row in rows if any(m.get("tool_calls") for m in row["messages"]))
    silent = next(row for row in rows if not any(m.get("tool_calls") for m in row["messages"]))
    judge = FunctionCalls()
    right = f"<tool_call>{judge.expected(called)}</tool_call>"
    grades = [judge.grade(answer, called) for answer in (right, right.replace('"name": "', '"name": "x'), "Hello.")]
    assert [(g["valid_json"], g["name"], g["arguments"]) for g in grades] == [(1, 1, 1), (1, 0, 0), (0, 0, 0)]
    assert judge.grade("Hello.", silent)["no_call"] == 1 and judge.grade(right, silent)["no_call"] == 0
    columns = {"name": np.array([1, np.nan]), "no_call": np.array([np.nan, np.nan])}
    assert judge.measure(columns) == {"name": 1.0}


def test_preferences_by_hand(subject: Subject, tmp_path: Path) -> None:
    rows = [{"prompt": f"Is {n} even?", "chosen": "yes, it is", "rejected": "no"} for n in range(6)]
    turned = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    found = []
    for name, some in (("rows", rows), ("turned", turned)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
        found.append(evaluate(Preferences(data=Files(str(tmp_path / f"{name}.jsonl"))), subject))
    assert np.allclose(found[0].columns["margin"], -found[1].columns["margin"], atol=1e-5)
    assert found[0].numbers["accuracy"] + found[1].numbers["accuracy"] == pytest.approx(1)
    sums = evaluate(Preferences(data=Files(str(tmp_path / "rows.jsonl")), per_token=False), subject)
    counts = [
        len(subject.tokenizer(said)["input_ids"]) + 1 for said in ("yes, it is", "no")
    ]  # the one that ends a turn
    assert counts[0] != counts[1] and not np.allclose(sums.columns["margin"], found[0].columns["margin"], atol=1e-3)


def test_what_a_model_has_forgotten(subject: Subject, trained: Any, tmp_path: Path) -> None:
    stories = Toy("stories", rows=5)
    found = evaluate(Forgetting(base=str(trained.model), data=stories), subject)
    assert found.numbers["forgotten"] == pytest.approx(0, abs=1e-6) and found.numbers["before"] > 0
    worse = copy.deepcopy(subject.model)
    with torch.no_grad():
        worse.lm_head.weight.mul_(30)
    found = evaluate(Forgetting(base=str(trained.model), data=stories), replace(subject, model=worse))
    alone = evaluate(Likelihood(data=stories), replace(subject, model=worse))
    assert found.numbers["after"] == pytest.approx(alone.numbers["bits_per_byte"])
    assert (
        found.numbers["forgotten"] == pytest.approx(found.numbers["after"] - found.numbers["before"])
        and found.numbers["forgotten"] > 1
    )
    with pytest.raises(RecipeError, match="the run began with no other model; give forgetting.base"):
        evaluate(Forgetting(data=stories), subject)
    with pytest.raises(RecipeError, match="name other text"):
        evaluate(Forgetting(base=str(trained.model)), subject)


def test_speed(subject: Subject) -> None:
    numbers = evaluate(Speed(prompt_tokens=8, new_tokens=4, repeats=2), subject).numbers
    assert numbers["first_ms"] > 0 and numbers["tokens_per_second"] > 0


def test_a_task_of_one_s_own(subject: Subject) -> None:
    class Short(Answers, name="short"):
        """Whether an answer is short."""

        def grade(self, answer: str, row: dict[str, Any]) -> dict[str, float]:
            return {"short": float(len(answer) < 1000)}

    assert evaluate(Short(), subject).numbers == {"short": 1.0}


def test_rows_are_spread_evenly() -> None:
    rows = Toy("stories", rows=10).load()
    assert (
        spread(rows, 3)["origin"] == ["toy:stories:0", "toy:stories:3", "toy:stories:6"]
        and len(spread(rows, None)) == 10
    )


def test_rows_of_today_that_were_not_held_out_are_refused(tmp_path: Path) -> None:
    made = run(recipe(tmp_path), runs=tmp_path / "runs")
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write(json.dumps({"user": "Is 61 even?", "assistant": "no"}) + "\n")
    with pytest.raises(RecipeError, match="the data is not what it was when the model was trained"):
        evaluate(Likelihood(), subject_of(made.model))


def test_while_a_model_is_trained(tmp_path: Path) -> None:
    watched = Evaluate(Likelihood(data=Toy("stories", rows=3)), every=2)
    made = run(recipe(tmp_path, callbacks=(watched,), evaluators=(Likelihood(),)), runs=tmp_path / "runs")
    lines = [json.loads(line) for line in (made.folder / "evaluations.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2] and lines[0]["loss"] > 0
    assert made.results["evaluations"]["Likelihood()"]["loss"] == pytest.approx(made.results["after"]["loss"], rel=1e-5)
    with pytest.raises(RecipeError, match="likelihood needs data of its own"):
        run(recipe(tmp_path, callbacks=(Evaluate(Likelihood()),)), runs=tmp_path / "other")
    with pytest.raises(RecipeError, match="forgetting: the run began with no other model"):  # and not at step 500
        run(recipe(tmp_path, callbacks=(Evaluate(Forgetting(data=Toy("stories", rows=3))),)), runs=tmp_path / "third")
    assert not list((tmp_path / "third").glob("*-*"))


def test_what_a_model_cannot_be_asked_is_a_sentence(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_text(json.dumps({"prompt": "a " * 200, "chosen": "b", "rejected": "c"}) + "\n")
    with pytest.raises(RecipeError, match="there is no row to evaluate on"):
        evaluate(Preferences(data=Files(str(tmp_path / "long.jsonl"))), subject)
    with pytest.raises(RecipeError, match="8 tokens read and 60 written are more than the 64"):
        evaluate(Speed(prompt_tokens=8, new_tokens=60), subject)
    with pytest.raises(RecipeError, match=r"speed\.data: it brings its own questions"):
        Speed(data=Toy("chat"))
    tokenizer = WordPiece(Toy("stories", rows=20), vocab_size=300, specials="bert").build(None)
    reader = Subject(BERT(layers=1, hidden=32, heads=2).build(tokenizer, "masked"), tokenizer, Decoding())
    for judge, said in ((ExactMatch(), "writes no text"), (Likelihood(), "does not predict the next token")):
        with pytest.raises(RecipeError, match=said):
            evaluate(judge.replace(data=Toy("chat", rows=2)), reader)


def test_labelled_rows_as_conversations() -> None:
    rows = Chats(Toy("reviews", rows=2), system="Good?", answers={"positive": "yes"}).load()
    roles = [message["role"] for message in rows[0]["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert {row["messages"][-1]["content"] for row in rows} <= {"yes", "negative"}
    with pytest.raises(RecipeError, match="not text rows"):
        Chats(Toy("stories", rows=2)).load()


def test_the_command(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place, out = str(trained.folder), tmp_path / "rows.jsonl"
    words = ("--with", "exact_match", "--against", place, "--out", str(out), "exact_match.what=number")
    assert command(monkeypatch, "eval", place, *words, "--rows", "5") == 0
    said = capsys.readouterr().out
    assert "exact_match, 5 of 12 rows" in said and "95 % interval" in said and "0 rows are scored differently" in said
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["model"] for one in kept] == [place] * 10 and "exact_match" in kept[0]["scores"]
    assert {"origin", "asked", "answered", "right"} <= kept[0].keys() and isinstance(kept[0]["right"], str)
    words = ("--with", "exact_match", "decoding.max_new_tokens=1", "--json", "--out", str(out), "--rows", "5")
    assert command(monkeypatch, "eval", place, *words) == 0
    short = [json.loads(line)["answered"] for line in out.read_text().splitlines()]
    capsys.readouterr()
    assert all(mine["answered"].startswith(one) and len(one) < len(mine["answered"]) for mine, one in zip(kept, short))
    assert command(monkeypatch, "eval", place, "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["evaluator"] == "likelihood" and told["rows"] == 12 and len(told["intervals"]["loss"]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--with", "exact_mach"), "did you mean 'exact_match'"),
        (("--with", "likelihood", "likelihood.max_row=3"), "no option 'max_row'; did you mean 'max_rows'"),
        (("--with", "likelihood", "speed.repeats=3"), "'speed' is not among the evaluators (likelihood)"),
        (("--with", "likelihood", "max_rows=3"), "evaluators take NAME.OPTION=VALUE"),
        (("--with", "exact_match", "decoding.max_token=3"), "no option 'max_token'"),
        (("--against", "base"), "the run began with no other model"),
        (("--with", "preferences"), "holds messages rows; Preferences needs prompt, chosen and rejected"),
        (("--data", "missing.jsonl"), "missing.jsonl"),
    ],
)
def test_mistakes_are_sentences(
    words: tuple[str, ...],
    sentence: str,
    trained: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(monkeypatch, "eval", str(trained.folder), *words) == 2
    said = capsys.readouterr().err
    assert sentence in " ".join(said.split()) and "Traceback" not in said
