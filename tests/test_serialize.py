from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes.adapters.lora import LoRA
from smolrecipes.architectures.llama import Llama
from smolrecipes.architectures.trained import Trained
from smolrecipes.callbacks.samples import Samples
from smolrecipes.data.files import Files
from smolrecipes.data.mix import Mix
from smolrecipes.data.toy import Toy
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Adapter
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.orpo import ORPO
from smolrecipes.recipe import Recipe, Training
from smolrecipes.registry import registry
from smolrecipes.serialize import dumps, from_dict, loads, to_dict
from smolrecipes.tokenizers.byte_bpe import ByteBPE

BASE = Recipe(model=Llama(), tokenizer=ByteBPE(Files("a.txt")), data=Toy("stories"), objective=CLM())
RECIPE = Recipe(model=Trained(BASE), data=Files("prefs.jsonl"), objective=ORPO(beta=0.2), adapter=LoRA(r=8))


class Private(Adapter, name="private"):
    """An adapter that nobody registered."""

    def apply(self, model: Any, tokenizer: Any) -> Any:
        return model


ADAPTER = """
from smolrecipes.hookspecs import hookimpl
from smolrecipes.kinds import Adapter

class {cls}(Adapter, name="{name}"):
    def apply(self, model, tokenizer):
        return model

@hookimpl
def smolrecipes_register_adapters():
    return [{cls}]
"""

recipes = st.builds(
    lambda **options: RECIPE.replace(**options),
    model=st.sampled_from([Trained(BASE), Llama(layers=2), "org/name"]),
    data=st.sampled_from(
        [Toy("chat"), Files(("a.jsonl", "b.jsonl")), Mix((Toy("chat"), Files("c.txt"))), "prefs.jsonl"]
    ),
    validation=st.one_of(
        st.floats(0, 1, exclude_max=True), st.integers(0, 10**6), st.just(Files("held.jsonl")), st.just("held.jsonl")
    ),
    adapter=st.one_of(st.none(), st.builds(LoRA, r=st.integers(1, 64), alpha=st.floats(0.1, 1e3))),
    callbacks=st.lists(st.builds(Samples, st.just(("Hi",)), every=st.integers(1, 99)), max_size=3).map(tuple),
    training=st.builds(
        Training,
        steps=st.none() | st.integers(1, 10**6),
        learning_rate=st.floats(1e-9, 10),
        hf=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())),
    ),
    decoding=st.builds(Decoding, temperature=st.floats(0, 9), max_new_tokens=st.integers(1, 9)),
    seed=st.integers(0, 2**32 - 1),
    title=st.text().filter(lambda title: not ({"/", "\\"} & set(title) or title.startswith("."))),
)


@given(recipes)
def test_what_is_stored_is_what_is_loaded(recipe: Recipe) -> None:
    again = loads(dumps(recipe))
    assert again == recipe
    assert repr(again) == repr(recipe)
    assert to_dict(again) == to_dict(recipe)


def test_components_are_stored_by_name_and_never_by_import_path() -> None:
    stored = to_dict(RECIPE)
    assert stored["objective"] == {**stored["objective"], "use": "objective:orpo", "beta": 0.2}
    assert stored["model"]["recipe"]["tokenizer"]["data"]["use"] == "data:files"
    assert "use" not in stored["training"] and "use" not in stored["model"]["recipe"]
    assert "smolrecipes." not in json.dumps(stored)


def test_options_that_were_not_stored_have_their_defaults() -> None:
    stored = to_dict(RECIPE)
    del stored["training"], stored["adapter"]["alpha"]
    assert from_dict(stored) == RECIPE


def test_versions_of_the_plugins_that_are_used_are_recorded(install: Any) -> None:
    install("acme-adapters", "0.3", "acme", ADAPTER.format(cls="Acme", name="acme"))
    install("unused", "1.0", "unused", ADAPTER.format(cls="Unused", name="unused"))
    stored = to_dict(RECIPE.replace(adapter=registry().find("adapter", "acme")()))
    assert stored["plugins"] == {"acme-adapters": "0.3"}
    assert stored["adapter"]["use"] == "adapter:acme"
    assert from_dict(stored).adapter == registry().find("adapter", "acme")()


def test_a_missing_plugin_is_named_with_how_to_install_it() -> None:
    stored = {**to_dict(RECIPE), "plugins": {"acme-adapters": "0.3"}, "adapter": {"use": "adapter:acme"}}
    with pytest.raises(RecipeError, match=r"no adapter named 'acme'.*pip install acme-adapters==0\.3"):
        from_dict(stored)


def test_another_version_of_a_plugin_is_named() -> None:
    stored = {**to_dict(RECIPE), "plugins": {"smolrecipes": "9.9"}, "adapter": {"use": "adapter:acme"}}
    with pytest.raises(RecipeError, match=r"made with smolrecipes 9\.9 \(installed: "):
        from_dict(stored)


def test_a_class_of_a_recipe_file_is_marked_and_named_when_it_is_missing() -> None:
    stored = to_dict(RECIPE.replace(adapter=Private()))
    assert stored["adapter"] == {"use": "adapter:private", "defined_in": "a recipe file, as class Private"}
    with pytest.raises(RecipeError, match="the adapter 'private' was defined in a recipe file, as class Private"):
        from_dict(stored)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{\n'a': 1}", r"^r\.json:2: broken JSON"),
        ("[1]", r"^r\.json: a stored recipe is a JSON object"),
        ('{"model": 5}', r"^r\.json: Recipe needs 'data'"),
        ('{"objectve": {}}', r"^r\.json: Recipe has no option 'objectve'; did you mean 'objective'"),
        ('{"objective": {"use": "orpo"}}', r"^r\.json: 'orpo' is not kind:name"),
        (
            '{"objective": {"use": "objective:orpo", "bta": 1}}',
            r"^r\.json: ORPO has no option 'bta'; did you mean 'beta'",
        ),
        ('{"objective": {"use": "objective:os.system"}}', r"^r\.json: no objective named 'os\.system'"),
    ],
)
def test_a_wrong_recipe_json_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as found:
        loads(text, "r.json")
    assert "\n" not in str(found.value)
