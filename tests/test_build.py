"""The model of a recipe: what it cannot do is refused, what is hardly meant is said, how its batches are laid out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from smolrecipes import (
    BERT,
    CLM,
    GPT,
    Architecture,
    Characters,
    Llama,
    LoRA,
    Pretrained,
    QLoRA,
    Recipe,
    RoBERTa,
    Toy,
    Trained,
    Training,
    XLNet,
    run,
)
from smolrecipes.arguments import rows_per_batch
from smolrecipes.build import build_model, choose_layout, doubtful, needless
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Layout

SIZES: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2, "max_length": 32}


class Masked(CLM, name="masked-for-a-test"):
    """An objective that asks for hidden words; here it is never computed."""

    families = ("encoder",)
    head = "masked"


def words() -> PreTrainedTokenizerFast:
    names = ["a", "b", "<pad>", "<s>", "</s>", "<mask>"]
    raw = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="a"))
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=raw, **special)


def recipe(model: Architecture, objective: CLM | None = None, **changes: Any) -> Recipe:
    training = Training(steps=1, max_length=16, **changes)
    tokenizer, data = Characters(), Toy("stories", rows=10)
    return Recipe(model=model, tokenizer=tokenizer, data=data, objective=objective or CLM(), training=training)


def test_checkpointing_that_transformers_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as found:
        recipe(GPT(**SIZES), gradient_checkpointing=True).trainer(tmp_path)
    assert str(found.value).startswith(
        "training.gradient_checkpointing: transformers has none for gpt models; leave it"
    )
    build_model(recipe(Llama(**SIZES), gradient_checkpointing=True), words())


def test_checkpointing_that_a_loaded_model_lacks_is_refused(tmp_path: Path) -> None:
    GPT(**SIZES).build(words()).save_pretrained(tmp_path)
    with pytest.raises(
        RecipeError, match=r"^training\.gradient_checkpointing: .* none for openai-gpt models; leave it"
    ):
        build_model(recipe(Pretrained(str(tmp_path)), gradient_checkpointing=True), words())


def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test in which rows are loaded."""
    monkeypatch.setattr(Toy, "load", lambda self: pytest.fail("rows were loaded"))


def test_an_objective_of_another_family_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched(monkeypatch)
    wrong = recipe(BERT(**SIZES))
    for start in (wrong.trainer, partial(run, wrong)):
        with pytest.raises(
            RecipeError, match="model: clm fits decoder models such as Llama, not encoder models such as BERT"
        ):
            start(runs=tmp_path)
    on_top = recipe(Trained(wrong))
    with pytest.raises(
        RecipeError, match="model: clm fits decoder models such as Llama, not encoder models such as BERT"
    ):
        on_top.trainer(tmp_path)
    assert not list(tmp_path.glob("*"))
    assert type(build_model(recipe(BERT(**SIZES), Masked()), words())).__name__ == "BertForMaskedLM"


def test_an_adapter_that_cannot_run_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched(monkeypatch)
    monkeypatch.setattr("smolrecipes.adapters.qlora.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match="adapter=qlora needs bitsandbytes"):
        recipe(Llama(**SIZES)).replace(adapter=QLoRA()).trainer(tmp_path)


def test_an_adapter_that_does_not_reach_the_attention_is_said() -> None:
    assert doubtful(recipe(XLNet(**SIZES)).replace(adapter=LoRA())).startswith(
        "adapter: XLNet's attention has no linear"
    )
    assert doubtful(recipe(Llama(**SIZES))) == ""


def test_grouping_rows_that_are_not_padded_is_said() -> None:
    asked = recipe(Llama(**SIZES)).override("training.group_by_length=true")
    assert needless(asked, Layout(packed=True), 99).startswith("training.group_by_length: rows lie side by side here")
    assert needless(asked, Layout(), 99) == needless(recipe(Llama(**SIZES)), Layout(packed=True), 99) == ""


def test_a_batch_of_more_rows_than_there_are_is_said() -> None:
    asked = recipe(Llama(**SIZES)).override("training.global_batch_size=1000")
    assert needless(asked, Layout(), 206) == "training.global_batch_size=1,000: each step takes all there is, 206"
    assert needless(asked, Layout(), 1000) == ""
    assert rows_per_batch(asked.training, [5] * 206) == 206


@pytest.mark.parametrize(("model", "first"), [(RoBERTa(**SIZES), 3), (BERT(**SIZES), 0), (Llama(**SIZES), 0)], ids=repr)
def test_positions_of_a_packed_row_begin_where_the_table_does(model: Architecture, first: int) -> None:
    objective = Masked() if model.family == "encoder" else CLM()
    asked = recipe(model, objective)
    layout = choose_layout(asked, build_model(asked, words()), words())
    assert (layout.packed, layout.first) == (True, first)
    batch = layout([([0, 1, 0], [0, 1, 0]), ([0, 1, 0, 1], [0, 1, 0, 1])])
    assert batch["position_ids"].tolist() == [[first, first + 1, first, first + 1, first + 2]]
