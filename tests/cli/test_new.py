from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from smolrecipes.cli.new import _builds_on, _local
from smolrecipes.load import load_recipe


def test_a_shipped_chain_is_copied_so_that_edits_take_effect(cli: Any) -> None:
    done = cli("new", "mine")
    assert done.code == 0
    assert {path.name for path in Path().glob("*.py")} == {"mine.py", "sft_chat.py", "pretrain_clm.py"}
    assert "smolrecipes.recipes" not in "".join(path.read_text() for path in Path().glob("*.py"))
    assert load_recipe("mine.py").fingerprint() == load_recipe("orpo_lora").fingerprint()
    stage = Path("pretrain_clm.py")
    stage.write_text(stage.read_text().replace("recipe = Recipe(", "recipe = Recipe(\n    seed=7,"), encoding="utf-8")
    recipe: Any = load_recipe("mine.py")
    assert recipe.model.recipe.model.recipe.seed == 7


def test_copies_that_are_there_and_the_same_are_kept(cli: Any) -> None:
    assert cli("new", "mine").code == 0
    done = cli("new", "other.py", "--from", "dpo_lora")
    assert done.code == 0
    assert "written  orpo_lora.py" in done.out and "kept     sft_chat.py" in done.out
    Path("sft_chat.py").write_text("edited", encoding="utf-8")
    done = cli("new", "third")
    assert done.code == 2 and done.err.startswith(
        "error: sft_chat.py is there already and is not overwritten; third.py"
    )
    assert not Path("third.py").exists() and Path("sft_chat.py").read_text() == "edited"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["there"], "error: there.py is there already and is not overwritten"),
        (["a-b"], "error: a-b.py: a recipe can be imported, so its name is letters, digits and _ only"),
        (["no/such"], "error: no/such.py: there is no folder no; make it first"),
        (["json"], "error: json.py: 'json' is an installed Python module, which it would hide"),
        (["sft_chat"], "error: sft_chat.py: orpo_lora builds on the recipe sft_chat, which is copied beside it"),
        (["mine", "--from", "orpo"], "error: no recipe named 'orpo'; did you mean 'orpo_lora'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_new_refuses(cli: Any, arguments: list[str], sentence: str) -> None:
    Path("there.py").touch()
    done = cli("new", *arguments)
    assert done.code == 2 and done.err.startswith(sentence) and done.err.count("\n") == 1
    assert [path.name for path in Path().glob("*.py")] == ["there.py"]


def test_both_ways_to_import_a_shipped_recipe_are_read_and_rewritten() -> None:
    text = (
        "from smolrecipes.recipes import orpo_lora as o\nfrom smolrecipes.recipes.sft_chat import recipe\nimport ast\n"
    )
    assert _builds_on(text) == ["orpo_lora", "sft_chat"]
    assert _local(text) == "import orpo_lora as o\nfrom sft_chat import recipe\nimport ast\n"


def rows(count: int, **more: Any) -> None:
    chats = [{"user": f"How much is {n} and one?", "assistant": f"{n + 1}", **more} for n in range(count)]
    Path("my chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats), encoding="utf-8")


def test_a_recipe_for_ones_own_data_says_what_it_takes(cli: Any) -> None:
    """From own chats to the file for llama.cpp, in one command and one run."""
    rows(60)
    done = cli("new", "--data", "my chats.jsonl", "--to", "gguf:Q4_K_M", "--to", "safetensors")
    assert done.code == 0 and "written  my_chats_recipe.py" in done.out
    assert "rows     60 (messages), 64 tokens at the most" in done.out
    assert "s: about" in done.out and "memory of the longest batch" in done.out
    assert "run trains pretrain_clm and sft_chat first, on top of that: smolrecipes check --deep sft_chat" in done.out
    recipe: Any = load_recipe("my_chats_recipe.py")
    assert [repr(one) for one in recipe.exporters] == ["GGUF('q4_k_m')", "SafeTensors()"]
    assert recipe.adapter and recipe.training.max_length == 64 and recipe.objective.name == "sft"


def test_a_model_that_is_not_here_is_told_and_the_recipe_is_written(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from smolrecipes import hub

    monkeypatch.setattr(hub, "reachable", lambda: False)
    rows(20)
    done = cli("new", "mine", "--data", "my chats.jsonl", "--model", "org/name")
    assert done.code == 0 and re.search(
        r"not measured: org/name is (not|neither a folder here nor) in the cache", done.out
    )
    assert "rows     20 (messages)\n" in done.out and "max_length=1024 is a guess" in done.out
    assert load_recipe("mine.py").model == "org/name" or "org/name" in repr(load_recipe("mine.py").model)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "gguf"], "error: --to needs --data FILE"),
        (["mine", "--model", "org/name"], "error: --model needs --data FILE"),
        (
            ["--data", "my chats.jsonl", "--from", "dpo_lora"],
            "error: --from starts from a recipe, and --data from rows",
        ),
        (["--data", "my chats.jsonl", "--model", "./gone"], "error: model: there is no folder './gone'"),
        ([], "error: new: name the file, as in new mine"),
        (["--data", "none.jsonl"], "error: none.jsonl"),
        (["--data", "my chats.jsonl", "--to", "ggufs"], "error: no exporter named 'ggufs'; did you mean 'gguf'"),
        (["--data", "pairs.jsonl"], "error: --data pairs.jsonl: these are pair rows"),
    ],
    ids=str,
)
def test_what_new_with_data_refuses(cli: Any, arguments: list[str], sentence: str) -> None:
    rows(5)
    Path("pairs.jsonl").write_text('{"source": "a", "target": "b"}\n' * 5, encoding="utf-8")
    done = cli("new", *arguments)
    assert done.code == 2 and sentence in done.err
    assert not list(Path().glob("*.py"))


def test_the_longest_row_is_found_among_many_and_longer_ones_are_told(cli: Any) -> None:
    """It is neither the first nor one of those that a sample would hold."""
    from smolrecipes.cli.from_data import plan

    chats = [{"user": f"How much is {n} and one?", "assistant": f"{n + 1}"} for n in range(901)]
    for words, length, cut in ((150, range(151, 1500), False), (9_000, [2048], True)):
        chats[2]["assistant"] = "seven " * words
        Path("many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats), encoding="utf-8")
        found = plan("many.jsonl", "sft_chat", [])
        assert found.length in length and found.cut is cut


def test_preferences_have_a_length_as_well(cli: Any) -> None:
    from smolrecipes.cli.from_data import plan

    pairs = [{"prompt": f"Say {n}.", "chosen": f"{n} " * 50, "rejected": "no"} for n in range(20)]
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs), encoding="utf-8")
    assert 128 <= plan("pairs.jsonl", "sft_chat", []).length <= 256


def test_what_goes_wrong_with_the_rows_is_an_error_and_writes_no_recipe(cli: Any) -> None:
    rows(1)
    done = cli("new", "--data", "my chats.jsonl")
    assert done.code == 2 and done.err.startswith("error: validation: every row (1 in all) has the same prompt")
    assert not list(Path().glob("*.py"))


def test_a_recipe_that_cannot_run_ends_with_2(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from smolrecipes.check import check
    from smolrecipes.check.finding import Finding

    rows(20)
    monkeypatch.setattr(check, "deeper", lambda _: ([Finding("recipe-refused", "it fits in no memory")], []))
    done = cli("new", "--data", "my chats.jsonl")
    assert done.code == 2 and "error: recipe-refused: it fits in no memory" in done.out and "next " not in done.out
