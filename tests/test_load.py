from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from smolrecipes.errors import RecipeError
from smolrecipes.load import load, load_recipe
from smolrecipes.recipe import Recipe
from smolrecipes.serialize import dumps

SIMPLE = """
from smolrecipes import CLM, Llama, Recipe, Toy

recipe = Recipe(model=Llama(), data=Toy("stories"), objective=CLM())
"""
PRIVATE = """
from __future__ import annotations

from typing import Any

from smolrecipes import CLM, Adapter, Llama, Recipe, Toy, option


class Mine(Adapter):
    '''Defined where it is used.'''

    size: int = option(default=2)
    '''A number.'''

    def apply(self, model: Any, tokenizer: Any) -> Any:
        return model


recipe = Recipe(model=Llama(), data=Toy("stories"), objective=CLM(), adapter=Mine(size="3"))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_a_module_and_a_name_give_the_same_recipe() -> None:
    from smolrecipes.recipes import orpo_lora

    by_name = load_recipe("orpo_lora")
    assert (
        by_name == load_recipe("smolrecipes.recipes.orpo_lora") == load_recipe("smolrecipes.recipes.orpo_lora:recipe")
    )
    assert by_name == load_recipe(str(orpo_lora.__file__)) == load_recipe(Path(orpo_lora.__file__))
    assert by_name.title == "orpo_lora"


def test_base_recipes_are_titled_by_their_modules() -> None:
    recipe = load_recipe("orpo_lora")
    titles = []
    while hasattr(recipe.model, "recipe"):
        recipe = recipe.model.recipe
        titles.append(recipe.title)
    assert titles == ["sft_chat", "pretrain_clm"]


def test_titles_do_not_change_the_fingerprint() -> None:
    Path("a.py").write_text(SIMPLE, encoding="utf-8")
    Path("b.py").write_text(SIMPLE, encoding="utf-8")
    a, b = load_recipe("a.py"), load_recipe("b.py")
    assert (a.title, b.title) == ("a", "b")
    assert a.fingerprint() == b.fingerprint()


def test_a_base_in_the_same_file_is_titled_by_its_variable() -> None:
    text = SIMPLE.replace("recipe =", "stories =") + "from smolrecipes import Trained\n"
    Path("a.py").write_text(f"{text}recipe = stories.replace(model=Trained(stories), seed=1)\n", encoding="utf-8")
    recipe: Any = load_recipe("a.py")
    assert (recipe.title, recipe.model.recipe.title) == ("a", "stories")
    assert load_recipe("a.py", ["seed=3"]).seed == 3


def test_a_class_defined_in_a_recipe_file_just_works() -> None:
    Path("a.py").write_text(PRIVATE, encoding="utf-8")
    recipe: Any = load_recipe("a.py", ["adapter.size=4"])
    assert recipe.adapter.size == 4


def test_a_recipe_file_imports_its_neighbours_as_they_are_now() -> None:
    Path("one").mkdir()
    Path("two").mkdir()
    for name, layers in (("one", 2), ("two", 3)):
        text = SIMPLE.replace("Llama()", f"Llama(layers={layers})")
        Path(name, "base.py").write_text(text, encoding="utf-8")
        Path(name, "mine.py").write_text(
            "from base import recipe as base\nrecipe = base.replace(seed=1)\n", encoding="utf-8"
        )
    found: list[Any] = [load_recipe(f"{name}/mine.py").model for name in ("one", "two", "one")]
    assert [model.layers for model in found] == [2, 3, 2]
    Path("one/base.py").write_text(SIMPLE.replace("Llama()", "Llama(layers=12)"), encoding="utf-8")
    again: Any = load_recipe("one/mine.py")
    assert again.model.layers == 12
    assert all(not path.startswith(str(Path.cwd())) for path in sys.path)


def test_a_stored_recipe_and_a_run_folder_load() -> None:
    recipe = load_recipe("orpo_lora")
    Path("run").mkdir()
    Path("run/recipe.json").write_text(dumps(recipe), encoding="utf-8")
    assert load_recipe("run") == load_recipe("run/recipe.json") == recipe


def test_the_recipes_it_derives_from_are_known() -> None:
    assert list(load("dpo_lora").bases) == ["orpo_lora"]
    assert isinstance(load("dpo_lora").bases["orpo_lora"], Recipe)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("gone.py", r"^gone\.py: there is no such file; did you mean 'gene\.py'\?"),
        ("recipes/orpo_lora.py", r"there is no such file; did you mean 'orpo_lora'\?"),
        (
            "orpo_lra",
            r"^no recipe named 'orpo_lra'; did you mean 'orpo_lora'\? \(installed: char_gpt, char_llama, compare_positions, ",
        ),
        ("gone/", r"^no recipe named 'gone/'"),
        ("gone.json", r"^gone\.json: there is no such stored recipe"),
        (".", r"recipe\.json: there is no such stored recipe; a run's folder has a recipe\.json"),
        (
            "qa.jsonl",
            r"^qa\.jsonl is data; name a recipe to train on it, as in 'smolrecipes run sft_chat data=qa\.jsonl'$",
        ),
        ("a/b.txt.gz", r"^a/b\.txt\.gz is data; .* data=a/b\.txt\.gz'$"),
        ("b.txt", r"'smolrecipes run pretrain_clm data=b\.txt'$"),
        ("list.json", r"^list\.json is data; .*sft_chat data=list\.json"),
        ("smolrecipes.recipes.orpo", r"there is no module 'smolrecipes\.recipes\.orpo'; did you mean 'orpo_lora'"),
        ("smolrecipes.recipes.orpo_lora:recip", r"there is no `recip` in it; did you mean 'recipe'"),
        ("smolrecipes.recipes.orpo_lora:zzz", r"there is no `zzz` in it; it has recipe, chat$|has chat, recipe$"),
        ("gene.py", r"^gene\.py: there is no `recipe` in it; it defines nothing; write recipe = Recipe\(...\)"),
    ],
)
def test_sources_that_do_not_exist(source: str, sentence: str) -> None:
    Path("gene.py").touch()
    Path("list.json").write_text('[{"text": "a"}]', encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence) as found:
        load_recipe(source)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nrecipe = Recipe(\n", r"^a\.py:2: '\(' was never closed: recipe = Recipe\("),
        ("import json\nimport no_such\n", r"^a\.py:2: ModuleNotFoundError: No module named 'no_such'"),
        ("from smolrecipes import ORPOO\n", r"^a\.py:1: ImportError: .* from 'smolrecipes'; did you mean 'ORPO'\?"),
        ("from smolrecipes import Orpo\n", r"^a\.py:1: ImportError: .*'Orpo' .*; did you mean 'ORPO'\?$"),
        ("from smolrecipes import lora\n", r"did you mean 'LoRA'\?$"),
        ("from smolrecipes import CLM\nbase = 1\n", r"^a\.py: there is no `recipe` in it; it defines base; write"),
        ("recipe = ORPO()\n", r"^a\.py:1: NameError: name 'ORPO' is not defined"),
        ("base = 1\nother = 2\n", r"^a\.py: there is no `recipe` in it; it defines base, other"),
        (
            SIMPLE.replace("recipe =", "recpe ="),
            r"^a\.py: there is no `recipe` in it; it has recpe: call the one to run `recipe`$",
        ),
        ("recipe = 5\n", r"^a\.py: `recipe` is an int, not a Recipe; write recipe = Recipe\(...\)"),
        ("from smolrecipes import Recipe as recipe\n", r"^a\.py: `recipe` is the class Recipe, not a Recipe"),
        (SIMPLE.replace("CLM()", "CLM(bta=1)"), r"^a\.py:4: CLM has no option 'bta'"),
        (SIMPLE.replace("Llama()", "Llama(layers='x')"), r"^a\.py:4: Llama\.layers: should be a valid integer"),
        (SIMPLE.replace("Llama()", "CLM()"), r"^a\.py:4: Recipe\.model: should be a"),
        ("def make():\n    return 1 / 0\nrecipe = make()\n", r"^a\.py:2: ZeroDivisionError: division by zero"),
        ("from b import recipe\n", r"^b\.py:1: NameError: name 'boom' is not defined"),
    ],
)
def test_what_is_wrong_in_a_recipe_file_is_one_sentence_with_its_line(text: str, sentence: str) -> None:
    Path("a.py").write_text(text, encoding="utf-8")
    Path("b.py").write_text("boom\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence) as found:
        load_recipe("a.py")
    assert "\n" not in str(found.value)


def test_an_edited_copy_that_has_no_effect_is_warned_of() -> None:
    from smolrecipes.recipes import sft_chat

    text = "from smolrecipes.recipes.sft_chat import recipe as chat\nrecipe = chat.replace(seed=1)\n"
    Path("mine.py").write_text(text, encoding="utf-8")
    shipped = Path(sft_chat.__file__).read_bytes()
    Path("sft_chat.py").write_bytes(shipped)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_recipe("mine.py")
    Path("sft_chat.py").write_bytes(shipped + b"# edited\n")
    with pytest.warns(
        UserWarning, match=r"mine\.py imports the shipped smolrecipes\.recipes\.sft_chat, not the edited"
    ):
        load_recipe("mine.py")
