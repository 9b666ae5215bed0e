"""Objectives of fine-tuning: what a model reads, what is learned of it, and that padding and packing change nothing."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import (
    BART,
    BERT,
    GPT2,
    T5,
    ByteBPE,
    Classification,
    DeBERTaV3,
    Layout,
    Llama,
    Longformer,
    LoRA,
    ModernBERT,
    MultipleChoice,
    QuestionAnswering,
    Recipe,
    RecipeError,
    Regression,
    RoBERTa,
    TokenClassification,
    Toy,
    Training,
    XLNet,
)
from smolrecipes.build import build_model, choose_layout
from smolrecipes.data.rows import make
from smolrecipes.objectives.framed import frame, read, shortened

SIZES = {"layers": 2, "hidden": 32, "heads": 2, "max_length": 128}
READERS = [BERT, RoBERTa, DeBERTaV3, ModernBERT, XLNet, Llama, GPT2, BART, T5]
LENGTH = 96


@cache
def rows(task, count=24):
    return Toy(task, rows=count).load()


@cache
def tokenizer(specials):
    return ByteBPE(vocab_size=500, specials=specials).build(Toy("stories", rows=60).load())


@cache
def parts(kind, objective, task, packing=True):
    """A tiny model with the objective's head, its examples, how they are laid out, and the fitted objective."""
    torch.manual_seed(0)
    fitted = objective.fitted(rows(task))
    more = {"window": 8} if kind is Longformer else {}
    recipe = Recipe(
        model=kind(**SIZES, **more),
        data=Toy(task),
        objective=fitted,
        training=Training(max_length=LENGTH, packing=packing),
    )
    words = tokenizer(kind.specials)
    model = build_model(recipe, words).eval()
    made = fitted.prepare_many(list(rows(task)), words, LENGTH)
    if isinstance(fitted, QuestionAnswering):
        from datasets import Dataset

        made = list(fitted.arrange(Dataset.from_list([{**e, "origin": "x"} for e in made]), LENGTH, words))
    return model, made, choose_layout(recipe, model, words), fitted


def total(kind, objective, task, some=None, packing=True):
    """The loss of some examples, summed, and the answers, from one batch."""
    model, made, layout, fitted = parts(kind, objective, task, packing)
    chosen = made if some is None else [made[index] for index in some]
    with torch.no_grad():
        found = fitted.loss(model, fitted.collate(chosen, layout))
    return float(sum(mean.sum for mean in found.terms.values())), found.answers


ALONE = [
    *((kind, Classification(), "paraphrases") for kind in READERS),
    *((kind, Regression(scale=(0, 4)), "similarity") for kind in (BERT, XLNet, Llama, T5)),
    *((kind, TokenClassification(), "names") for kind in (BERT, XLNet, Llama, T5)),
    *((kind, QuestionAnswering(), "reading") for kind in (BERT, XLNet, Llama, BART, Longformer)),
    *((kind, MultipleChoice(), "endings") for kind in (BERT, XLNet, Longformer)),
]


@pytest.mark.parametrize(("kind", "objective", "task"), ALONE)
def test_a_row_is_answered_in_a_batch_as_alone(kind, objective, task):
    together, _ = total(kind, objective, task, some=range(6))
    alone = sum(total(kind, objective, task, some=[index])[0] for index in range(6))
    assert together == pytest.approx(alone, rel=1e-4)


PACKED = [
    *((kind, TokenClassification(), "names") for kind in (BERT, ModernBERT, Llama)),
    *((kind, QuestionAnswering(), "reading") for kind in (BERT, ModernBERT, Llama)),
    *((kind, Classification(), "paraphrases") for kind in (BERT, RoBERTa, ModernBERT, Llama, GPT2)),
    *((kind, Regression(scale=(0, 4)), "similarity") for kind in (BERT, Llama)),
    *((kind, MultipleChoice(), "endings") for kind in (BERT, ModernBERT)),
]


@pytest.mark.parametrize(("kind", "objective", "task"), PACKED)
def test_packing_changes_nothing(kind, objective, task):
    packed, padded = (total(kind, objective, task, packing=packing) for packing in (True, False))
    assert parts(kind, objective, task)[2].packed and not parts(kind, objective, task, False)[2].packed
    assert packed[0] == pytest.approx(padded[0], rel=1e-4)
    for name, value in packed[1].items():
        assert torch.allclose(value.float(), padded[1][name].float(), atol=1e-3), name


OVERFIT = [
    (BERT, Classification(), "paraphrases", "accuracy"),
    (Llama, Classification(), "reviews", "accuracy"),
    (BART, Classification(), "reviews", "accuracy"),
    (ModernBERT, TokenClassification(), "names", "f1"),
    (ModernBERT, QuestionAnswering(), "reading", "exact_match"),
    (ModernBERT, MultipleChoice(), "endings", "accuracy"),
    (ModernBERT, Regression(scale=(0, 4)), "similarity", "pearson"),
]


@pytest.mark.parametrize(("kind", "objective", "task", "name"), OVERFIT)
def test_a_batch_is_learned_by_heart(kind, objective, task, name):
    import copy

    model, made, layout, fitted = parts(kind, objective, task)
    model = copy.deepcopy(model).train()
    batch, optimizer = fitted.collate(made[:8], layout), torch.optim.AdamW(model.parameters(), lr=3e-3)
    counts = fitted.counts(batch)
    for _ in range(100):
        found = fitted.loss(model, batch)
        loss = torch.stack([mean.sum / counts[mean.over] for mean in found.terms.values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05
    found = fitted.loss(model.eval(), batch)
    answers = {name: value.detach().float().numpy() for name, value in found.answers.items()}
    scores = {n: float(mean.sum) / counts[mean.over] for n, mean in found.metrics.items()}
    scores |= fitted.measure(answers) if answers else {}
    assert scores[name] > 0.95


@pytest.mark.parametrize(
    ("specials", "pair"),
    [
        ("bert", ["[CLS]", "A", "[SEP]", "B", "[SEP]"]),
        ("roberta", ["<s>", "A", "</s>", "</s>", "B", "</s>"]),
        ("t5", ["A", "</s>", "B", "</s>"]),
        ("xlnet", ["A", "<sep>", "B", "<sep>", "<cls>"]),
        ("gpt", ["A", "<|endoftext|>", "B", "<|endoftext|>"]),
    ],
)
def test_pairs_are_framed_by_the_tokenizers_own_template(specials, pair):
    words = tokenizer(specials)
    [found] = read([("one red ball", "Mia")], words, 64)
    ids = {"A": words("one red ball", add_special_tokens=False), "B": words("Mia", add_special_tokens=False)}
    expected = [ids[name]["input_ids"] if name in ids else words.convert_tokens_to_ids([name]) for name in pair]
    assert found["input_ids"] == [each for some in expected for each in some] and found["cut"] == 0
    if specials != "gpt":
        theirs = words("one red ball", "Mia")
        assert found["input_ids"] == theirs["input_ids"]
        assert found.get("token_type_ids") == theirs.get("token_type_ids")


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(8, 40))
def test_the_longest_is_cut_first_as_transformers_does(first, second, size):
    words, texts = tokenizer("bert"), (" ball" * first, " kite" * second)
    [found] = read([texts], words, size)
    theirs = words(*texts, truncation="longest_first", max_length=size)["input_ids"]
    assert len(found["input_ids"]) == len(theirs) and found["cut"] == max(0, len(words(*texts)["input_ids"]) - size)
    assert abs(found["input_ids"].index(words.sep_token_id) - theirs.index(words.sep_token_id)) <= 1


def test_one_by_one_from_the_longest():
    assert list(map(len, shortened([[1] * 9, [2] * 4], 7))) == [3, 4]
    assert list(map(len, shortened([[1] * 3, [2] * 9], 9))) == [3, 6]


def test_a_text_cannot_spell_a_control_token():
    words = tokenizer("bert")
    [found] = read([("a [SEP] b",)], words, 64)
    assert found["input_ids"].count(words.sep_token_id) == 1
    assert frame(words, 1).size == 2


def test_classes_come_from_the_training_rows_and_unknown_ones_are_refused():
    def labelled(*labels):
        return make("labelled", [{"text": "a", "label": label, "origin": f"x:{i}"} for i, label in enumerate(labels)])

    assert Classification().fitted(labelled(10, 2, 10)).classes == ("2", "10")
    fitted = Classification().fitted(labelled("no", "yes"))
    with pytest.raises(RecipeError, match=r"x:1: the label 'maybe' is none of the training rows'.*no, yes"):
        fitted.prepare_many(list(labelled("no", "maybe")), tokenizer("bert"), 16)
    with pytest.raises(RecipeError, match="every label is 'no'"):
        Classification().fitted(labelled("no", "no"))
    with pytest.raises(RecipeError, match="objective=regression"):
        Classification().fitted(labelled(1.5, 2.0))
    with pytest.raises(RecipeError, match="x:0: the label 5 is not between 0 and 4"):
        Regression(scale=(0, 4)).prepare_many(list(labelled(5.0, 1.5)), tokenizer("bert"), 16)


def test_names_and_scales_are_saved_with_the_model():
    assert parts(BERT, Classification(), "paraphrases")[0].config.id2label == {0: "different", 1: "same"}
    assert parts(BERT, Regression(scale=(0, 4)), "similarity")[0].config.label_scale == [0, 4]


def test_a_words_tag_is_learned_at_its_first_token_or_its_last():
    words = tokenizer("bert")
    row = {"tokens": ["Zorimafu", "è", "qui"], "tags": ["B-PER", "O", "O"]}
    for at in ("first", "last"):
        example = TokenClassification(labels=("B-PER", "O"), at=at).prepare(row, words, 64)
        places = [i for i, label in enumerate(example["labels"]) if label >= 0]
        ids = example["input_ids"]
        whole = words("Zorimafu è qui", return_offsets_mapping=True)
        assert ids == whole["input_ids"]
        spans = [whole["offset_mapping"][place] for place in places]
        if at == "first":
            assert spans[0][0] == 0 and len(places) == 3
        else:
            assert [end for _, end in spans] == [8, 10, 14]
    assert TokenClassification(labels=("B-PER", "O")).prepare(row, words, 2) is None  # no room
    [example] = [TokenClassification(labels=("B-PER", "O")).prepare(row, words, 6)]
    assert example["cut"] > 0 and len(example["input_ids"]) == 6


TEXT = "Mia has a red ball. " * 6 + "Leo has a green kite, and Zoe is at the zoo. " + "Max is here. " * 5


@settings(max_examples=40)
@given(st.integers(0, len(TEXT) - 8), st.integers(1, 7), st.integers(30, 90), st.integers(8, 16))
def test_every_answer_is_whole_in_some_window(start, size, length, overlap):
    from smolrecipes.objectives.windows import BEGINS, ENDS, MAY, windows

    words = tokenizer("bert")
    answer = TEXT[start : start + size]
    row = {"question": "Who?", "context": TEXT, "answers": {"text": [answer], "answer_start": [start]}}
    example = QuestionAnswering(overlap=overlap).prepare(row, words, length)
    found = list(windows(example, frame(words, 2), length, overlap, words.cls_token_id))
    assert all(len(window["input_ids"]) <= length for window in found)
    assert sum(len(window["starts"]) for window in found) - overlap * (len(found) - 1) == len(example["context"])
    pointed = 0
    for window in found:
        labels = window["labels"]
        [begins] = [i for i, label in enumerate(labels) if label > 0 and label & BEGINS]
        [ends] = [i for i, label in enumerate(labels) if label > 0 and label & ENDS]
        assert sum(label > 0 and label & MAY for label in labels) == len(window["starts"]) + 1
        if begins == 0:
            assert ends == 0  # not here
            continue
        pointed += 1
        said = TEXT[window["starts"][begins - window["first"]] : window["ends"][ends - window["first"]]]
        assert answer in said and len(said) <= len(answer) + 14  # whole tokens
    assert pointed >= 1


def test_the_likeliest_window_answers_for_its_row():
    import numpy as np

    answers = {
        "row": np.array([0, 0, 1, 2.0]), "score": np.array([1, 5, 2, 3.0]), "exact": np.array([1, 0, 1, 0.0]),
        "f1": np.array([1, 0.5, 1, 0.0]), "none": np.array([9, 4, 0, 4.0]), "empty": np.array([0, 0, 0, 1.0]),
    }  # fmt: skip
    assert QuestionAnswering().measure(answers) == {"exact_match": 1 / 3, "f1": 0.5}
    # row 2 has no answer, and none is likelier; row 0's least "none" is 4, below 5
    assert QuestionAnswering(unanswerable=True).measure(answers) == {"exact_match": 2 / 3, "f1": pytest.approx(2.5 / 3)}


def test_questions_that_cannot_be_learned_are_refused():
    words = tokenizer("bert")
    row = {"question": "Who?", "context": "Mia is here.", "answers": {"text": [], "answer_start": []}}
    with pytest.raises(RecipeError, match="objective.unanswerable=true"):
        QuestionAnswering().prepare(row, words, 64)
    assert QuestionAnswering(unanswerable=True).prepare(row, words, 64)["answer"] == [-1, -1]
    with pytest.raises(RecipeError, match="smaller objective.overlap"):
        QuestionAnswering(unanswerable=True, overlap=8).prepare({**row, "context": TEXT}, words, 12)


def test_choices_may_be_of_any_number():
    words = tokenizer("bert")
    model, _, layout, objective = parts(BERT, MultipleChoice(), "endings")
    texts = [("Mia is here.", ["Yes.", "No, not at all."], 1), ("Leo?", ["Here.", "There.", "Nowhere, I think."], 2)]
    made = [objective.prepare({"text": a, "choices": b, "label": c}, words, 64) for a, b, c in texts]
    with torch.no_grad():
        found = objective.loss(model, objective.collate(made, layout))
        alone = sum(objective.loss(model, objective.collate([one], layout)).terms["nll"].sum for one in made)
    assert float(found.metrics["chance"].sum) == pytest.approx(1 / 2 + 1 / 3)
    assert float(found.terms["nll"].sum) == pytest.approx(float(alone), rel=1e-4)
    assert isinstance(layout, Layout)


def test_held_out_numbers_do_not_depend_on_the_batch(tmp_path):
    def scores(**training):
        recipe = Recipe(
            model=BERT(**SIZES), tokenizer=ByteBPE(vocab_size=400, specials="bert"), data=Toy("names", rows=40),
            validation=13, objective=TokenClassification(), training=Training(max_length=LENGTH, steps=1, **training),
        )  # fmt: skip
        found = recipe.trainer(runs=tmp_path / str(training)).evaluate()
        return {name: found[f"eval_{name}"] for name in ("loss", "accuracy", "f1", "precision", "majority")}

    assert scores(micro_batch_size=2) == pytest.approx(scores(micro_batch_size=13), rel=1e-5)


@pytest.mark.parametrize("kind", [BERT, DeBERTaV3, ModernBERT, XLNet])
@pytest.mark.parametrize(
    ("objective", "task"),
    [(Classification(), "reviews"), (QuestionAnswering(), "reading"), (MultipleChoice(), "endings")],
)
def test_a_lora_trains_the_whole_head(kind, objective, task):
    import copy

    model, made, layout, fitted = parts(kind, objective, task, packing=False)
    adapted = LoRA(r=2).apply(copy.deepcopy(model), tokenizer(kind.specials))
    found = fitted.loss(adapted, fitted.collate(made[:4], layout))
    torch.stack([mean.sum for mean in found.terms.values()]).sum().backward()
    body = f"base_model.model.{model.base_model_prefix}."
    head = {
        name: one for name, one in adapted.named_parameters() if "original" not in name and not name.startswith(body)
    }
    assert head and all(
        weight.grad is not None and (weight.dim() == 1 or weight.grad.any()) for weight in head.values()
    ), head.keys()
