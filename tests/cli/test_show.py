from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smolrecipes.load import load_recipe
from smolrecipes.serialize import from_dict

RECIPE = """
from smolrecipes import CLM, Llama, Recipe, Toy, Training

recipe = Recipe(model=Llama(layers=2), data=Toy("stories"), objective=CLM(), training=Training(epochs=3))
"""
DERIVED = "from base import recipe as base\nrecipe = base.replace(seed=5)\n"


def origins(out: str) -> dict[str, tuple[str, str]]:
    """Each path with its value and where it came from, read off the table."""
    found, path = {}, [""]
    for line in out.splitlines()[1:]:
        words = line.split()
        depth = (len(line) - len(line.lstrip())) // 2
        path = [*path[:depth], words[0]]
        origin = " ".join(words[-2:]) if words[-1] in ("file", "line") or words[-2] == "base" else words[-1]
        found[".".join(path)] = (words[1], origin)
    return found


def test_every_value_says_where_it_came_from(cli: Any) -> None:
    Path("base.py").write_text(RECIPE, encoding="utf-8")
    Path("mine.py").write_text(DERIVED, encoding="utf-8")
    found = origins(cli("show", "base.py").out)
    assert found["model.layers"] == ("2", "recipe file")
    assert found["model.hidden"] == ("192", "default")
    found = origins(cli("show", "mine.py", "training.log_every=3", "objective=orpo").out)
    assert found["model"] == ("llama", "base base")
    assert found["model.layers"] == ("2", "base base")
    assert found["training.epochs"] == ("3.0", "base base")
    assert found["training.log_every"] == ("3", "command line")
    assert found["training.schedule"] == ("cosine", "default")
    assert found["seed"] == ("5", "recipe file")
    assert found["objective"] == ("orpo", "command line")
    assert found["objective.beta"] == ("0.1", "default")


def test_a_default_that_is_written_down_is_the_file_s(cli: Any) -> None:
    Path("base.py").write_text(RECIPE.replace("epochs=3", "epochs=3, warmup=0.05"), encoding="utf-8")
    found = origins(cli("show", "base.py", "training.log_every=3").out)
    assert found["training.warmup"] == ("0.05", "recipe file")
    assert found["training.weight_decay"] == ("0.0", "default")
    Path("mine.py").write_text(DERIVED.replace("seed=5", 'seed=0, title="x"'), encoding="utf-8")
    found = origins(cli("show", "mine.py").out)
    assert found["seed"] == ("0", "recipe file")
    assert found["training.warmup"] == ("0.05", "base base")
    Path("recipe.json").write_text(cli("show", "base.py", "--json").out, encoding="utf-8")
    found = origins(cli("show", "recipe.json").out)
    assert (found["training.warmup"], found["training.epochs"]) == (("0.05", "default"), ("3.0", "recipe file"))


def test_values_of_base_recipes_are_theirs(cli: Any) -> None:
    found = origins(cli("show", "orpo_lora", "model.recipe.seed=3").out)
    assert found["model.recipe"] == ("sft_chat", "recipe file")
    assert found["model.recipe.data"] == ("toy", "sft_chat")
    assert found["model.recipe.model.recipe.objective"] == ("clm", "pretrain_clm")
    assert found["model.recipe.seed"] == ("3", "command line")


def test_a_bare_string_in_the_file_is_the_file_s(cli: Any) -> None:
    Path("base.py").write_text(RECIPE.replace('Toy("stories")', '"toy:stories"'), encoding="utf-8")
    Path("mine.py").write_text(DERIVED, encoding="utf-8")
    assert origins(cli("show", "base.py").out)["data.task"] == ("stories", "recipe file")
    assert origins(cli("show", "mine.py").out)["data.task"] == ("stories", "base base")


def test_what_a_swap_did_is_told(cli: Any) -> None:
    Path("base.py").write_text(RECIPE, encoding="utf-8")
    assert "training.steps=4 replaces epochs=3.0" in cli("show", "base.py", "training.steps=4").out
    assert "data: org/name on the Hugging Face hub" in cli("show", "base.py", "data=org/name").out


def test_two_recipes_show_only_their_differences(cli: Any) -> None:
    Path("base.py").write_text(RECIPE, encoding="utf-8")
    Path("mine.py").write_text(DERIVED, encoding="utf-8")
    lines = cli("show", "base.py", "training.steps=4", "mine.py").out.splitlines()
    assert [line.split() for line in lines] == [
        ["base.py", "training.steps=4", "mine.py"],
        ["training.epochs", "None", "3.0"],
        ["training.steps", "4", "None"],
        ["seed", "0", "5"],
    ]
    assert cli("show", "base.py", "seed=5", "mine.py").out == "base.py seed=5 and mine.py are the same recipe\n"
    assert cli("show", "base.py", "mine.py", "base.py").err.startswith("error: show takes one recipe or two, not 3")


def test_json_is_what_a_run_stores(cli: Any) -> None:
    done = cli("show", "orpo_lora", "objective.beta=0.3", "--json")
    assert from_dict(json.loads(done.out)) == load_recipe("orpo_lora", ["objective.beta=0.3"])
