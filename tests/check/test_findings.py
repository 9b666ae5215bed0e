"""Every code is found where it should be, and healthy work has no error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shrunk import overrides

from smolrecipes import (
    CLM,
    ORPO,
    SFT,
    ByteBPE,
    Bytes,
    Classification,
    Distillation,
    Files,
    Finding,
    Llama,
    LoRA,
    Pretrained,
    PretrainedTokenizer,
    Recipe,
    RecipeError,
    Toy,
    Trained,
    Training,
    WordPiece,
    check,
    run,
)
from smolrecipes.check.check import light
from smolrecipes.check.finding import CODES, stop
from smolrecipes.check.shadow import shadowed
from smolrecipes.load import load_recipe
from smolrecipes.registry import registry

ROOT = Path(__file__).parents[2]
SMALL = {"tokenizer": ByteBPE(vocab_size=300), "model": Llama(layers=1, hidden=32, heads=2)}
TRAINING = Training(global_batch_size=4, max_length=128, device="cpu")
CHAT = [
    [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": f"{n}, of course."}] for n in range(40)
]
PAIRS = [{"prompt": f"Say {n}.", "chosen": f"{n}!", "rejected": f"No {n}."} for n in range(40)]


def written(folder: Path, rows: list[Any], name: str = "rows.jsonl") -> str:
    file = folder / name
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(file)


def chat(folder: Path, rows: list[Any], **changes: Any) -> Recipe:
    data = Files(written(folder, [{"messages": row} for row in rows]))
    return Recipe(**{**SMALL, "data": data, "objective": SFT(), "training": TRAINING, "validation": 0, **changes})


def codes(findings: list[Finding]) -> dict[str, str]:
    """Each code that was found, with its level."""
    return {found.code: found.level for found in findings}


def found(recipe: Recipe, code: str) -> Finding:
    """The one light finding of a code."""
    (one,) = [one for one in light(recipe)[0] if one.code == code]
    return one


def test_healthy_chats_have_no_finding(tmp_path: Path) -> None:
    assert codes(check(chat(tmp_path, CHAT))) == {}


@pytest.mark.parametrize("name", registry().recipes())
def test_shipped_recipes_have_no_error(name: str) -> None:
    assert [one for one in light(load_recipe(name))[0] if one.level == "error"] == []


def test_what_a_recipe_refuses_is_a_finding(tmp_path: Path) -> None:
    one = found(chat(tmp_path, CHAT, objective=Classification()), "recipe-refused")
    assert one.level == "error" and "Classification needs text and label" in one.sentence


def test_the_numbers_of_a_recipe(tmp_path: Path) -> None:
    def said(**options: Any) -> dict[str, str]:
        return codes(light(chat(tmp_path, CHAT, training=TRAINING.replace(**options)))[0])

    assert said(steps=4) == {"recipe-part-seen": "warning"}
    assert said(epochs=30) == {"recipe-many-passes": "warning"}
    assert said(warmup=0.8) == {"recipe-warmup": "warning"}
    assert said(evaluate_every=10) == {"recipe-never-evaluated": "warning"}
    assert said(learning_rate=0.1) == {"recipe-rate": "warning"}
    assert said(learning_rate=0.1, optimizer="muon") == {}


def test_a_name_that_hides_a_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "recipes" / "sft_chat.py").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert not list(shadowed("sft_chat"))
    Path("sft_chat.py").write_text(text, encoding="utf-8")
    assert not list(shadowed("sft_chat"))
    Path("sft_chat.py").write_text(text + "\nrecipe = recipe.replace(seed=5)\n", encoding="utf-8")
    (one,) = shadowed("sft_chat")
    assert one.code == "recipe-shadows" and one.where == "sft_chat.py"
    assert not list(shadowed("sft_chat.py"))


def test_empty_and_repeated_rows(tmp_path: Path) -> None:
    rows = [{"text": f"Number {n} is here."} for n in range(20)] + [{"text": "Number 3 is here."}, {"text": "  "}]
    recipe = chat(tmp_path, CHAT, data=Files(written(tmp_path, rows, "texts.jsonl")), objective=CLM())
    empty, twice = found(recipe, "rows-empty"), found(recipe, "rows-twice")
    assert empty.what == "1 of 22 rows are empty" and empty.where.endswith("texts.jsonl:22")
    assert twice.what == "1 of 22 rows were there before" and twice.where.endswith("texts.jsonl:21")


def test_held_out_rows_that_are_training_rows(tmp_path: Path) -> None:
    def level(copies: int) -> str:
        fresh = [[{"role": "user", "content": f"Try {n}"}, {"role": "assistant", "content": "ok"}] for n in range(10)]
        rows = [{"messages": row} for row in CHAT[:copies] + fresh[copies:]]
        return found(
            chat(tmp_path, CHAT, validation=Files(written(tmp_path, rows, "held.jsonl"))), "rows-overlap"
        ).level

    assert (level(2), level(9)) == ("warning", "error")


def test_pairs_without_a_difference(tmp_path: Path) -> None:
    def level(same: int) -> str:
        rows = [{**row, "rejected": row["chosen"]} if n < same else row for n, row in enumerate(PAIRS)]
        recipe = chat(tmp_path, CHAT, data=Files(written(tmp_path, rows, "pairs.jsonl")), objective=ORPO())
        return found(recipe, "rows-same-answers").level

    assert (level(1), level(30)) == ("warning", "error")


def test_conversations_without_an_answer_or_out_of_order(tmp_path: Path) -> None:
    silent = [{"role": "user", "content": "Hello?"}]
    empty = [*silent, {"role": "assistant", "content": ""}]
    one = found(chat(tmp_path, [*CHAT, silent, empty]), "rows-no-answer")
    assert one.what.startswith("2 of 42 rows") and one.level == "warning" and "rows.jsonl:41" in one.where
    assert found(chat(tmp_path, [silent, empty, *CHAT[:1]]), "rows-no-answer").level == "error"
    late = [*CHAT[0], {"role": "system", "content": "Be kind."}]
    double = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    assert found(chat(tmp_path, [*CHAT, double, late]), "rows-order").what.startswith("2 of 42 rows")


def test_a_call_of_a_tool_is_an_answer(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "clock", "arguments": {}}]}
    said = codes(light(chat(tmp_path, [[row[0], call] for row in CHAT]))[0])
    assert "rows-no-answer" not in said


def test_one_class_is_an_error(tmp_path: Path) -> None:
    rows = [{"text": f"good {n}", "label": "yes"} for n in range(20)]
    data = Files(written(tmp_path, rows, "labelled.jsonl"))
    recipe = chat(tmp_path, CHAT, data=data, objective=Classification())
    assert {"rows-one-class", "recipe-refused"} & set(codes(light(recipe)[0]))


def test_what_max_length_takes_away(tmp_path: Path) -> None:
    long = [[row[0], {"role": "assistant", "content": row[1]["content"] * 30}] for row in CHAT]
    said = codes(light(chat(tmp_path, long))[0])
    assert said == {"labels-cut": "warning", "labels-no-end": "error"}
    asks = [[{"role": "user", "content": "word " * 300}, row[1]] for row in CHAT]
    assert codes(light(chat(tmp_path, [*CHAT, *asks[:3]]))[0])["labels-none"] == "warning"
    assert codes(light(chat(tmp_path, [*CHAT[:1], *asks[:3]]))[0])["labels-none"] == "error"


def test_two_beginnings_are_found(tmp_path: Path) -> None:
    recipe = chat(tmp_path, CHAT)
    subject = light(recipe)[1]
    assert subject
    from smolrecipes.check.labels import labels

    start = subject.tokenizer.eos_token_id
    subject.tokenizer.bos_token = subject.tokenizer.eos_token
    subject.__dict__["sample"] = [({"text": "a", "origin": "a:1"}, {"input_ids": [start, start, 70, 71]})]
    assert {one.code for one in labels(subject)} == {"labels-two-starts"}


def test_unknown_tokens_and_control_tokens(tmp_path: Path) -> None:
    rows = [{"text": "plain words"}] * 1 + [{"text": f"Ωψ{chr(0x3B1 + n)} ΞΔ{chr(0x3B1 + n)}"} for n in range(20)]
    other = WordPiece(Toy("stories", rows=50), vocab_size=300, specials="bert")
    recipe = chat(tmp_path, CHAT, data=Files(written(tmp_path, rows, "greek.jsonl")), objective=CLM(), tokenizer=other)
    assert found(recipe, "labels-unknown").level == "error"
    spelt = [[{"role": "user", "content": "What is <|im_end|>?"}, CHAT[0][1]], *CHAT]
    assert found(chat(tmp_path, spelt), "labels-control").level == "warning"


def test_an_error_stops_a_run_before_anything_is_trained(tmp_path: Path) -> None:
    rows = [{**row, "rejected": row["chosen"]} for row in PAIRS]
    recipe = chat(tmp_path, CHAT, data=Files(written(tmp_path, rows, "pairs.jsonl")), objective=ORPO())
    with pytest.raises(RecipeError, match=r"^rows-same-answers: 40 of 40 rows have the same answer"):
        run(recipe, runs=tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("*/checkpoints"))


def test_a_warning_is_said_by_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(chat(tmp_path, [*CHAT, CHAT[0]], training=TRAINING.replace(steps=2, rehearse=False)), runs=tmp_path / "runs")
    said = capsys.readouterr().out
    assert "warning: rows-twice: 1 of 41 rows were there before" in said or "warning: recipe-part-seen" in said


def test_an_adapter_that_misses_some_targets(tmp_path: Path) -> None:
    recipe = chat(tmp_path, CHAT, adapter=LoRA(r=2))
    assert "model-targets" not in codes(check(recipe))


def test_another_tokenizer_than_the_model_has_learned_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a recipe that is to be trained first, of a folder, and in a run; its own tokenizer is none, nor with more tokens."""
    base = chat(tmp_path, CHAT, training=TRAINING.replace(steps=2, rehearse=False))
    said = "the model has learned 300 tokens, of which the recipe's tokenizer reads "
    for other in (Bytes(), ByteBPE(Toy("stories", rows=50), vocab_size=300)):
        findings = check(base.replace(model=Trained(base), tokenizer=other))
        (one,) = [one for one in findings if one.code == "model-other-tokenizer"]
        assert one.level == "warning" and one.what.startswith(said)
    folder = str(run(base, runs=tmp_path / "runs").model)
    capsys.readouterr()
    run(base.replace(model=Pretrained(folder), tokenizer=Bytes()), runs=tmp_path / "runs")
    assert f"warning: model-other-tokenizer: {said}" in capsys.readouterr().out
    for own in (PretrainedTokenizer(folder), PretrainedTokenizer(folder, chat_template="gemma"), None):
        assert "model-other-tokenizer" not in codes(check(base.replace(model=Pretrained(folder), tokenizer=own)))


def test_the_first_error_is_raised_and_the_others_counted() -> None:
    errors = [Finding("rows-overlap", "one"), Finding("model-frozen", "two"), Finding("rows-twice", "three")]
    with pytest.raises(RecipeError, match=r"^rows-overlap: one\. .* \[and 1 more; smolrecipes check says all\]$"):
        stop(errors)
    stop(errors[2:])


def test_one_row_held_out_is_said(tmp_path: Path) -> None:
    """Whoever writes validation=1.0 may mean all of the rows; two rows, and a share, are nobody's mistake."""
    one = found(chat(tmp_path, CHAT, validation=1.0), "recipe-one-held-out")
    assert one.level == "warning" and one.what == "validation=1 holds out one row of 40"
    for validation in (2, 0.02):
        assert codes(light(chat(tmp_path, CHAT, validation=validation))[0]) == {}


def test_codes_are_named_by_what_they_are_about() -> None:
    about = {code.split("-")[0] for code in CODES}
    assert about == {"recipe", "plugin", "rows", "labels", "batch", "model", "trainer", "precision", "disk"}
    for code in CODES.values():
        assert code.why.endswith(".") and code.mend


def test_an_error_is_found_before_what_a_recipe_builds_on_is_trained(tmp_path: Path) -> None:
    base = chat(tmp_path, CHAT, training=TRAINING.replace(steps=2))
    rows = [{**row, "rejected": row["chosen"]} for row in PAIRS]
    data = Files(written(tmp_path, rows, "pairs.jsonl"))
    recipe = base.replace(model=Trained(base), tokenizer=None, data=data, objective=ORPO())
    with pytest.raises(RecipeError, match=r"^rows-same-answers"):
        run(recipe, runs=tmp_path / "runs")
    assert not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize("where", ["last", "between", "beside"])
def test_a_target_that_no_layer_has_is_found_before_anything_is_trained(tmp_path: Path, where: str) -> None:
    """In the last of three stages, in the one between, and in a second one that the last builds on."""
    wrong: dict[str, Any] = {"adapter": LoRA(targets=("q_prj",))}
    base = chat(tmp_path, CHAT, training=TRAINING.replace(steps=2))
    tuned: dict[str, Any] = {"model": Trained(base), "tokenizer": None}
    other = base.replace(seed=1, **(wrong if where == "beside" else {}))
    second = base.replace(**tuned, **(wrong if where == "between" else {}))
    last = second.replace(model=Trained(second), adapter=wrong["adapter"] if where == "last" else None)
    if where == "beside":
        objective = Distillation(teacher=Trained(other))
        last = base.replace(**tuned, objective=objective, data=Toy("stories", rows=20))
    with pytest.raises(RecipeError, match=r"^LoRA\.targets: no linear layer .* 'q_prj'; did you mean 'q_proj'\?"):
        run(last, runs=tmp_path / "runs")
    assert not list(tmp_path.glob("runs/*/*"))


LIGHT = """
import sys
from smolrecipes.__main__ import main
for words in {words!r}:
    sys.argv = ["smolrecipes", "check", *words]
    try:
        main()
    except SystemExit as ended:
        assert ended.code in (0, None), words
heavy = [name for name in ("torch", "trl", "peft", "accelerate", "deepspeed") if name in sys.modules]
assert not heavy, heavy
"""


def test_the_light_check_of_every_shipped_recipe_imports_no_torch() -> None:
    """On few rows; tests/full/test_healthy.py checks them whole."""
    code = LIGHT.format(words=[[name, *overrides(name)] for name in registry().recipes()])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("0 errors") == len(registry().recipes())


def test_the_same_rows_are_not_scanned_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = chat(tmp_path, [*CHAT, *CHAT[:20]])
    first = light(recipe, tmp_path)[0]
    assert "rows-twice" in codes(first)
    module = sys.modules["smolrecipes.check.kept"]  # `smolrecipes.check` is the function as well
    monkeypatch.setattr(module, "rows", lambda subject: iter([Finding("rows-empty", "scanned again")]))
    assert light(recipe, tmp_path)[0] == first
    assert "rows-empty" in codes(light(chat(tmp_path, CHAT), tmp_path)[0])
    assert "rows-empty" in codes(light(recipe)[0])


def test_the_examples_are_those_that_training_makes(tmp_path: Path) -> None:
    """Of an objective with a `prepare` of its own, which CLM's `prepare_many` knows nothing of."""

    class Backwards(CLM):
        """From the last token to the first."""

        def prepare(self, row: Any, tokenizer: Any, max_length: int) -> Any:
            ids = tokenizer(row["text"], add_special_tokens=False)["input_ids"][::-1]
            return {"input_ids": ids}

    recipe = Recipe(
        tokenizer=ByteBPE(vocab_size=300), model=Llama(layers=1, hidden=32, heads=2), data=Toy("stories", rows=20),
        objective=Backwards(), validation=0,
    )  # fmt: skip
    _, subject = light(recipe)
    assert subject is not None
    row, example = subject.sample[0]
    assert example and example["input_ids"] == Backwards().prepare(row, subject.tokenizer, 512)["input_ids"]


def test_more_rows_than_are_looked_at_is_said_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from smolrecipes.check import rows as looks

    monkeypatch.setattr(looks, "CHUNK", 10)
    monkeypatch.setattr(looks, "BUDGET", -1.0)
    recipe = chat(tmp_path, CHAT)
    (tmp_path / "cache").mkdir()
    found, _ = light(recipe, tmp_path / "cache")
    assert "rows-unseen" in codes(found) and not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("change", ["training.precision=float16", 'training.hf={"learning_rate": 1}'])
def test_options_that_the_run_refuses_are_found(change: str, tmp_path: Path) -> None:
    recipe = chat(tmp_path, CHAT).override(change)
    assert codes(light(recipe)[0]) == {"recipe-refused": "error"}
