from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes.adapters.lora import LoRA
from smolrecipes.architectures.gpt2 import GPT2
from smolrecipes.architectures.llama import Llama
from smolrecipes.architectures.pretrained import Pretrained
from smolrecipes.architectures.trained import Trained
from smolrecipes.callbacks.guard import Guard
from smolrecipes.callbacks.metrics import Metrics
from smolrecipes.callbacks.samples import Samples
from smolrecipes.component import option
from smolrecipes.data.files import Files
from smolrecipes.data.hub import HubData
from smolrecipes.data.mix import Mix
from smolrecipes.data.toy import Toy
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Adapter
from smolrecipes.objectives.clm import CLM
from smolrecipes.objectives.dpo import DPO
from smolrecipes.objectives.orpo import ORPO
from smolrecipes.override import change, override, resolve
from smolrecipes.recipe import Recipe, Training
from smolrecipes.tokenizers.byte_bpe import ByteBPE
from smolrecipes.tokenizers.pretrained import PretrainedTokenizer
from smolrecipes.transforms.drop_duplicates import DropDuplicates

SCRATCH = Recipe(
    model=Llama(hidden=128, heads=4), tokenizer=ByteBPE(vocab_size=1024), data=Toy("stories"), objective=CLM()
)
RECIPE = Recipe(
    model=Trained(SCRATCH),
    data=Files("prefs.jsonl", columns={"prompt": "ask"}),
    objective=ORPO(beta=0.2),
    adapter=LoRA(r=8),
    callbacks=(Samples(("Hi",), every=10), Guard()),
    training=Training(epochs=2, hf={"adam_beta1": 0.8}),
)


class Many(Adapter):
    """Options of many types, which no plugin brings."""

    count: int = 1
    rate: float | None = None
    on: bool = False
    where: Path = Path()
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] | int = 1
    pick: Literal["a", "b"] = "a"
    level: int | Literal["auto"] = "auto"
    either: str | float = "auto"
    table: dict[str, int] = option(factory=dict)
    anything: Any = None

    def apply(self, model: Any, tokenizer: Any) -> Any:
        return model


MANY = RECIPE.replace(adapter=Many())


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "3", 3),
        ("count", "1_000", 1000),
        ("rate", "1e-4", 1e-4),
        ("rate", "none", None),
        ("rate", "Null", None),
        ("on", "true", True),
        ("on", "off", False),
        ("where", "a/b", Path("a/b")),
        ("names", "a,b", ("a", "b")),
        ("names", "a", ("a",)),
        ("names", '["a,b", "c"]', ("a,b", "c")),
        ("names", "none", ()),
        ("sizes", "3", 3),
        ("sizes", "3,4", (3, 4)),
        ("pick", "b", "b"),
        ("level", "7", 7),
        ("level", "auto", "auto"),
        ("either", "0.5", 0.5),
        ("either", "auto", "auto"),
        ("table", '{"a": 1}', {"a": 1}),
        ("table.a", "2", {"a": 2}),
        ("anything", "[1, 2]", [1, 2]),
        ("anything", "text", "text"),
        ("anything", "True", True),
    ],
)
def test_a_value_is_read_by_the_option_s_annotation(name: str, text: str, value: Any) -> None:
    got = getattr(override(MANY, [f"adapter.{name}={text}"]).adapter, name.partition(".")[0])
    assert got == value and type(got) is type(value)


@given(st.integers(1, 10**9), st.floats(1e-12, 1e12), st.text(st.characters(exclude_characters="[{", categories=["L"])))
def test_whatever_is_printed_can_be_given(count: int, rate: float, title: str) -> None:
    changed = override(MANY, [f"adapter.count={count}", f"adapter.rate={rate}", f"title={title}"])
    assert changed == MANY.replace(adapter=Many(count=count, rate=rate), title=title)


@pytest.mark.parametrize(
    ("assignments", "changes"),
    [
        (["objective.beta=0.3"], {"objective": ORPO(beta=0.3)}),
        (["callbacks.0.every=5"], {"callbacks": (Samples(("Hi",), every=5), Guard())}),
        (["callbacks=none"], {"callbacks": ()}),
        (["callbacks=guard,samples", "callbacks.1.prompts=a,b"], {"callbacks": (Guard(), Samples(("a", "b")))}),
        (["callbacks=samples:Hello"], {"callbacks": (Samples(("Hello",)),)}),
        (["callbacks.1=metrics"], {"callbacks": (Samples(("Hi",), every=10), Metrics())}),
        (["data.columns.chosen=good"], {"data": Files("prefs.jsonl", columns={"prompt": "ask", "chosen": "good"})}),
        (["data.columns.prompt=none"], {"data": Files("prefs.jsonl")}),
        (
            ["training.hf.adam_beta2=0.95", "training.hf.optim_args.x=1"],
            {"training": Training(epochs=2, hf={"adam_beta1": 0.8, "adam_beta2": 0.95, "optim_args": {"x": 1}})},
        ),
        (["adapter=none"], {"adapter": None}),
        (["validation=0.1"], {"validation": 0.1}),
        (["validation=100"], {"validation": 100}),
        (["validation=held.jsonl"], {"validation": Files("held.jsonl")}),
        (['adapter={"use": "adapter:lora", "r": 2}'], {"adapter": LoRA(r=2)}),
        (["model.recipe.training.steps=5"], {"model": Trained(SCRATCH.replace(training=Training(steps=5)))}),
        (
            ["model.recipe.model.hidden=96", "model.recipe.model.heads=6"],
            {"model": Trained(SCRATCH.replace(model=Llama(hidden=96)))},
        ),
        (["model.layers=2", "model=llama"], {"model": Llama(layers=2)}),
        (["seed=7", "title=mine"], {"seed": 7, "title": "mine"}),
    ],
)
def test_assignments(assignments: list[str], changes: dict[str, Any]) -> None:
    assert override(RECIPE, assignments) == RECIPE.replace(**changes)
    assert RECIPE.override(*assignments) == RECIPE.replace(**changes)


def test_options_that_depend_on_each_other_are_set_together() -> None:
    with pytest.raises(RecipeError, match="Llama: hidden=126"):
        override(SCRATCH, ["model.hidden=126"])
    assert override(SCRATCH, ["model.hidden=126", "model.heads=9"]).model == Llama(hidden=126, heads=9)


def test_a_swap_keeps_what_both_have_and_says_so() -> None:
    changed = change(RECIPE, ["objective=dpo"])
    assert changed.recipe.objective == DPO(beta=0.2)
    assert changed.notes == ("objective is now DPO: it keeps beta=0.2",)
    changed = change(
        RECIPE.replace(objective=ORPO(beta=0.2, learn="prompt+answer")), ["objective=dpo", "objective.beta=1"]
    )
    assert changed.recipe.objective == DPO(beta=1)
    assert changed.notes == ("objective is now DPO: learn='prompt+answer' does not apply",)


def test_what_another_source_was_is_not_missed() -> None:
    toy = SCRATCH.replace(data=Toy("stories", rows=900, seed=3))
    assert change(toy, ["data=a.txt"]).notes == ()
    assert change(toy, ["data=toy:chat"]).notes == ("data is now Toy: it keeps rows=900, seed=3",)
    piped = toy.replace(data=toy.data.pipe(DropDuplicates()))
    (told,) = change(piped, ["data=toy:chat"]).notes
    assert told == "data: Piped is left out with all that it does; data.source=toy:chat keeps it"
    assert change(piped, ["data.source=toy:chat"]).recipe.data == Toy("chat", rows=900, seed=3).pipe(DropDuplicates())


def test_a_value_that_the_new_class_does_not_take_is_reset_and_said(install: Any) -> None:
    text = "from smolrecipes.hookspecs import hookimpl\nfrom smolrecipes.kinds import Adapter\nclass Tiny(Adapter):\n"
    text += "    r: bool = False\n    def apply(self, m, t):\n        return m\n"
    install(
        "small", "1", "small_adapter", f"{text}@hookimpl\ndef smolrecipes_register_adapters():\n    return [Tiny]\n"
    )
    changed = change(RECIPE, ["adapter=tiny"])
    assert changed.recipe.adapter is not None and changed.recipe.adapter.changed() == {}
    assert changed.notes == ("adapter is now Tiny: r is False, no longer 8",)


def test_one_length_replaces_another_and_says_so() -> None:
    changed = change(RECIPE, ["training.steps=100"])
    assert changed.recipe.training == RECIPE.training.replace(epochs=None, steps=100)
    assert changed.notes == ("training.steps=100 replaces epochs=2.0",)
    with pytest.raises(RecipeError, match="give one of epochs, steps, tokens, not epochs and steps"):
        change(RECIPE, ["training.steps=100", "training.epochs=3"])


def test_a_batch_in_tokens_replaces_one_in_rows_and_the_other_way_round() -> None:
    rows = RECIPE.replace(training=Training(global_batch_size=8, max_length=64))
    tokens = change(rows, ["training.global_batch_tokens=512"])
    assert tokens.recipe.training == Training(global_batch_tokens=512, max_length=64)
    assert tokens.notes == ("training.global_batch_tokens=512 replaces global_batch_size=8",)
    again = change(tokens.recipe, ["training.global_batch_size=4"]).recipe
    assert again.training == Training(global_batch_size=4, max_length=64)


def test_a_model_that_brings_its_tokenizer_replaces_the_recipe_s() -> None:
    changed = change(SCRATCH, ["model=org/name"])
    assert changed.recipe.tokenizer is None
    assert changed.notes[0] == "model: org/name on the Hugging Face hub"
    assert changed.notes[1:] == ("tokenizer: the one of Pretrained('org/name'), instead of ByteBPE(vocab_size=1024)",)
    kept = change(SCRATCH, ["model=org/name", "tokenizer=byte_bpe"])
    assert kept.recipe.tokenizer == ByteBPE(vocab_size=1024)
    assert change(SCRATCH, ["model.layers=2"]).recipe.tokenizer == ByteBPE(vocab_size=1024)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("objective.bta=0.2", "objective.bta: ORPO has no option 'bta'; did you mean 'beta'?"),
        ("objectiv.beta=0.2", "objectiv.beta: Recipe has no option 'objectiv'; did you mean 'objective'?"),
        ("beta=0.2", "beta: Recipe has no option 'beta'; did you mean 'objective.beta'?"),
        ("architecture=llama", "architecture: Recipe has no option 'architecture'; did you mean 'model'?"),
        ("objective", "'objective' is not an override; write option=value, as in training.steps=100"),
        ("=5", "'=5' is not an override; write option=value, as in training.steps=100"),
        ("objective=none", "objective: cannot be none, a recipe needs it"),
        ("validation=none", "validation: cannot be none; write 0"),
        ("objective=opro", "no objective named 'opro'; did you mean 'orpo'? (installed:"),
        ("adapter=none.r", "no adapter named 'none.r'"),
        ("callbacks.7.every=5", "callbacks.7.every: callbacks has no element '7'; it has 0 to 1"),
        ("callbacks=guard:5", "callback 'guard' takes no value after its name"),
        ("callbacks=samples", "Samples needs 'prompts'"),
        ("callbacks=sampels", "no callback named 'sampels'; did you mean 'samples'?"),
        ("training=5", "training: set one of its options, as in training.epochs=..."),
        ("seed.x=5", "seed.x: seed is 0, which has no options inside"),
        (
            "seed=1.5",
            "seed: should be a valid integer, unable to parse string as an integer, not '1.5' (expected: int >= 0 < 4294967296)",
        ),
        ("training.steps=-1", "training.steps: should be greater than 0, not '-1' (expected: int > 0, or none)"),
        ("training.precision=half", "should be 'auto', 'float32', 'tf32', 'bfloat16' or 'float16', not 'half'"),
        ("validation=-5", "validation: should be a share below 1, or a whole number of rows (0: none), not -5"),
        ("validation=2.5", "validation: should be a share below 1, or a whole number of rows (0: none), not 2.5"),
        ("validation=nan", "validation: should be a share below 1"),
        ("training.hf=5", "training.hf: "),
        ("data.columns=a:b", "data.columns: write JSON, as in 'data.columns={\"key\": 1}', not 'a:b'"),
        (
            "training.hf.adam_beta1.x=1",
            "training.hf.adam_beta1.x: training.hf.adam_beta1 is 0.8, which has no keys inside",
        ),
        ("data.paths=[1", "data.paths: write JSON"),
        ("model.layers=3", "model.layers: Trained has no option 'layers'"),
    ],
)
def test_mistakes_are_one_sentence_with_the_nearest_name(assignment: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as found:
        override(RECIPE, [assignment])
    assert sentence in str(found.value)
    assert "\n" not in str(found.value)


def test_a_misspelt_choice_is_told_the_nearest_and_the_choices_once() -> None:
    """Also where other values than words are allowed."""
    with pytest.raises(RecipeError) as found:
        override(RECIPE, ["training.optimizer=adm"])
    assert str(found.value) == (
        "training.optimizer: should be 'adamw', 'muon' or 'adamw_8bit', not 'adm'; did you mean 'adamw'?"
    )
    with pytest.raises(RecipeError, match=r"'selective' or 'offload', not 'selectiv'; did you mean 'selective'\?"):
        override(RECIPE, ["training.gradient_checkpointing=selectiv"])
    with pytest.raises(RecipeError, match=r"^Training\.schedule: .*, not 'cosin'; did you mean 'cosine'\?$"):
        Training(schedule="cosin")  # type: ignore[arg-type]


def test_nothing_is_set_inside_what_is_not_there() -> None:
    with pytest.raises(
        RecipeError, match=r"adapter\.r: there is no adapter in this recipe; name one too, as in adapter=name"
    ):
        override(SCRATCH, ["adapter.r=8"])
    with pytest.raises(RecipeError, match=r"adapter\.r: adapter is set to none"):
        override(RECIPE, ["adapter=none", "adapter.r=8"])


@pytest.mark.parametrize(
    ("text", "data", "note"),
    [
        ("toy:chat", Toy("chat"), ""),
        ("files:a.jsonl", Files("a.jsonl"), ""),
        ("hub:imdb", HubData("imdb"), "imdb on the Hugging Face hub"),
        ("org/name", HubData("org/name"), "org/name on the Hugging Face hub"),
        ("org/name-v1.5", HubData("org/name-v1.5"), "org/name-v1.5 on the Hugging Face hub"),
        ("https://huggingface.co/datasets/org/name", HubData("org/name"), "org/name on the Hugging Face hub"),
        ("https://a.org/b.jsonl", Files("https://a.org/b.jsonl"), ""),
        ("missing.jsonl", Files("missing.jsonl"), ""),
        ("./data", Files("./data"), ""),
        ("a/b/c", Files("a/b/c"), ""),
        ("data/*.txt", Files("data/*.txt"), ""),
        ("there", Files("there"), ""),
        ("folder/missing", Files("folder/missing"), ""),
        ("a.txt,b.txt", Files(("a.txt", "b.txt")), ""),
        ("toy:chat,a.txt", Mix((Toy("chat"), Files("a.txt"))), ""),
    ],
)
def test_a_bare_string_for_data(text: str, data: Any, note: str) -> None:
    Path("there").touch()
    Path("folder").mkdir()
    changed = change(SCRATCH.replace(data=Files("x")), [f"data={text}"])
    assert changed.recipe.data == data
    assert changed.notes == ((f"data: {note}",) if note else ())
    notes: list[str] = []
    assert resolve(SCRATCH.replace(data=text), notes).data == data
    assert notes == ([f"data: {note}"] if note else [])


@pytest.mark.parametrize(
    ("text", "model", "note"),
    [
        ("llama", Llama(), ""),
        ("org/name", Pretrained("org/name"), "org/name on the Hugging Face hub"),
        ("gpt2", GPT2(), "'gpt2' is the registered architecture; write hub:gpt2 for the weights of that name"),
        ("hub:gpt2", Pretrained("gpt2"), "gpt2 on the Hugging Face hub"),
        ("gpt2-medium", Pretrained("gpt2-medium"), "gpt2-medium on the Hugging Face hub"),
        ("distilgpt2", Pretrained("distilgpt2"), "distilgpt2 on the Hugging Face hub"),
        ("hub:distilled", Pretrained("distilled"), "distilled on the Hugging Face hub"),
        ("./here", Pretrained("./here"), ""),
        ("here", Pretrained("here"), ""),
        ("a-run", Pretrained("a-run/model"), "the model of the run a-run"),
        ("https://huggingface.co/org/name", Pretrained("org/name"), "org/name on the Hugging Face hub"),
    ],
)
def test_a_bare_string_for_the_model(text: str, model: Any, note: str) -> None:
    Path("here").mkdir()
    Path("a-run/model").mkdir(parents=True)
    Path("a-run/recipe.json").touch()
    notes: list[str] = []
    assert resolve(SCRATCH.replace(model=text), notes).model == model
    assert notes == ([f"model: {note}"] if note else [])
    assert override(RECIPE, [f"model={text}"]).model == model


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        (
            "model",
            "lama",
            "xlm, xlnet) and no path; did you mean 'llama'?",
        ),
        ("model", "unheard", "a hub id looks like org/name, or write hub:unheard"),
        ("model", "./gtp2", "model: there is no folder './gtp2'; did you mean 'gpt2'?"),
        ("model", "hub:gpt2", "model: a folder 'gpt2' lies here, and transformers would load it instead"),
        ("model", "https://a.org/model", "model: a model is a folder or a hub id (org/name), not the URL"),
        ("data", "prefs", "did you mean 'prefs.jsonl'?"),
        ("data", "hub:a b", "data: 'a b' is not a hub id; one looks like org/name"),
        ("data", "toy:chatt", "Toy.task: should be "),
        ("data", "toy", "Toy needs 'task'"),
    ],
)
def test_a_bare_string_that_names_nothing(option: str, text: str, sentence: str) -> None:
    Path("gpt2").mkdir()
    Path("prefs.jsonl").touch()
    for act in (lambda: resolve(SCRATCH.replace(**{option: text})), lambda: override(RECIPE, [f"{option}={text}"])):
        with pytest.raises(RecipeError) as found:
            act()
        assert sentence in str(found.value)


def test_strings_are_resolved_in_base_recipes_and_tokenizers_too() -> None:
    base = SCRATCH.replace(data="a.txt", tokenizer="org/name")
    resolved = resolve(RECIPE.replace(model=Trained(base), validation="held.jsonl"))
    assert resolved.validation == Files("held.jsonl")
    assert isinstance(resolved.model, Trained)
    assert resolved.model.recipe.data == Files("a.txt")
    assert resolved.model.recipe.tokenizer == PretrainedTokenizer("org/name")
    assert resolve(RECIPE) is RECIPE


def test_options_inside_a_bare_string_are_set_on_what_it_names() -> None:
    changed = override(SCRATCH.replace(data="a.jsonl"), ["data.columns.source=question"])
    assert changed.data == Files("a.jsonl", columns={"source": "question"})
