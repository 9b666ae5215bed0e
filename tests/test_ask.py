"""Every head can be asked, answers what transformers' own pipelines answer, and says what it takes."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from transformers import pipeline

from smolrecipes import (
    ALBERT,
    BART,
    BERT,
    ELECTRA,
    GPT2,
    LUKE,
    M2M100,
    T5,
    XLM,
    Decoding,
    DistilBERT,
    Llama,
    Longformer,
    ModernBERT,
    RecipeError,
    RoBERTa,
    Toy,
    Transformer,
    WordPiece,
    XLNet,
)  # fmt: skip
from smolrecipes.architectures.heads import head_of
from smolrecipes.ask import ask
from smolrecipes.ask.attention import attention, picture
from smolrecipes.ask.neighbours import neighbours

SIZES: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2}
LONG: dict[str, Any] = {**SIZES, "max_length": 64}
TEXT = "Mia sees the red ball ."
CONTEXT = "Mia has a red ball. The ball is under the bed. Leo went to the park."


@cache
def tokenizer(specials: Any) -> Any:
    more = {"languages": ("en", "it")} if specials == "m2m100" else {"sentinels": 8} if specials == "t5" else {}
    return WordPiece(vocab_size=300, specials=specials, **more).build(Toy("stories", rows=100).load())


@cache
def built(architecture: Any, head: str, labels: int = 3) -> tuple[Any, Any]:
    torch.manual_seed(0)
    made = architecture.build(tokenizer(architecture.specials), head, labels).eval()
    for weight in made.parameters():
        if weight.dim() > 1 and weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.1)
    made.config.architectures = [type(made).__name__]
    assert head_of(made.config) == head
    return made, tokenizer(architecture.specials)


@pytest.mark.parametrize("architecture", [BERT(**LONG), DistilBERT(**LONG), RoBERTa(**LONG), ModernBERT(**LONG), XLM(**LONG)], ids=str)  # fmt: skip
def test_a_mask_is_filled_as_transformers_fills_it(architecture: Any) -> None:
    model, own = built(architecture, "masked")
    text = f"Mia sees the {own.mask_token} ball ."
    theirs = pipeline("fill-mask", model=model, tokenizer=own, top_k=3)(text)
    found = ask(model, own, [text], top=3).data
    assert list(found["masks"][0]) == [one["token_str"].strip() for one in theirs]
    assert list(found["masks"][0].values()) == pytest.approx([one["score"] for one in theirs], rel=1e-4)
    assert own.mask_token not in found["text"]
    both = ask(model, own, [f"{own.mask_token} sees the {own.mask_token} ."])
    assert len(both.data["masks"]) == 2 and len(both.text.splitlines()) == 3


@pytest.mark.parametrize(("architecture", "head"), [(BERT(**LONG), "pretraining"), (ALBERT(**LONG), "pretraining"), (LUKE(**LONG, entities=9), "entities"), (XLNet(**LONG), "permutation")], ids=str)  # fmt: skip
def test_the_other_heads_that_know_masks_fill_them(architecture: Any, head: str) -> None:
    model, own = built(architecture, head) if head != "entities" else built(architecture, "masked")
    first, second = (
        ask(model, own, [f"{who} sees the {own.mask_token} ."], top=300).data["masks"][0] for who in ("Mia", "Leo")
    )
    assert sum(first.values()) == pytest.approx(1, abs=0.05) and first != second


def test_a_hidden_word_tells_xlnet_nothing_of_itself() -> None:
    model, own = built(XLNet(**LONG), "permutation")
    mask = own.mask_token
    (one, two) = (ask(model, own, [f"Mia {mask} the {mask} ."], top=5).data["masks"] for _ in range(2))
    assert one == two and one[0] != one[1]


def test_what_was_replaced_is_marked() -> None:
    model, own = built(ELECTRA(**LONG), "discriminator")
    found = ask(model, own, [TEXT]).data["tokens"]
    logits = model(**own(TEXT, return_tensors="pt")).logits[0].sigmoid().tolist()
    assert [share for _, share in found] == pytest.approx(logits[1:-1])


@pytest.mark.parametrize("architecture", [BERT(**LONG), ModernBERT(**LONG), Llama(**LONG), GPT2(**LONG), BART(**LONG)], ids=str)  # fmt: skip
def test_classes_are_those_of_transformers(architecture: Any) -> None:
    model, own = built(architecture, "sequence-classification")
    theirs = pipeline("text-classification", model=model, tokenizer=own, top_k=3)
    found = ask(model, own, [TEXT]).data
    expected = model(**own(TEXT, return_tensors="pt")).logits.softmax(-1)[0].tolist()
    if own.cls_token:  # where the tokenizer ends a text as our objectives do
        expected = [{one["label"]: one["score"] for one in theirs([TEXT])[0]}[f"LABEL_{i}"] for i in range(3)]
        assert [found["probabilities"][f"LABEL_{i}"] for i in range(3)] == pytest.approx(expected, rel=1e-4)
    assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)
    assert ask(model, own, [TEXT, "Leo goes ."]).data != found


def test_a_number_is_on_the_scale_of_its_labels() -> None:
    model, own = built(BERT(**LONG), "regression")
    plain = ask(model, own, [TEXT]).data["value"]
    model.config.label_scale = [1.0, 5.0]
    try:
        assert ask(model, own, [TEXT]).data["value"] == pytest.approx(1 + 4 * plain)
    finally:
        del model.config.label_scale


def test_choices_are_ranked() -> None:
    model, own = built(BERT(**LONG), "multiple-choice")
    found = ask(model, own, ["Mia sees", "the ball", "the red bed", "Leo"]).data
    assert sum(share for _, share in found["probabilities"]) == pytest.approx(1)
    assert found["choice"] == found["probabilities"][0][0]
    swapped = ask(model, own, ["Mia sees", "Leo", "the red bed", "the ball"]).data
    assert {tuple(one[:1]): round(one[1], 5) for one in swapped["probabilities"]} == {
        tuple(one[:1]): round(one[1], 5) for one in found["probabilities"]
    }


@pytest.mark.parametrize("architecture", [BERT(**LONG), Llama(**LONG), Longformer(**LONG, window=8)], ids=str)
def test_every_word_gets_a_tag_and_a_question_words_of_the_text(architecture: Any) -> None:
    model, own = built(architecture, "token-classification")
    model.config.id2label = {0: "O", 1: "B-PER", 2: "I-PER"}
    found = ask(model, own, [TEXT]).data
    assert [word for word, _ in found["tags"]] == TEXT.split() and {tag for _, tag in found["tags"]} <= {
        "O",
        "B-PER",
        "I-PER",
    }
    model, own = built(architecture, "question-answering")
    said = ask(model, own, ["Where is the ball?", CONTEXT]).data
    assert said["answer"] == CONTEXT[said["start"] : said["end"]] and said["answer"]


def test_models_that_write() -> None:
    short = Decoding(max_new_tokens=4)
    model, own = built(Llama(**LONG), "causal")
    assert ask(model, own, [TEXT], short, plain=True).text.startswith(TEXT)
    assert not ask(model, own, [TEXT], short).text.startswith(TEXT)  # its tokenizer has a chat template: it answers
    model, own = built(T5(**SIZES), "seq2seq")
    assert ask(model, own, [TEXT], short).data["text"] == ask(model, own, [TEXT], short).text
    holes = ask(model, own, ["Mia <extra_id_0> the <extra_id_1> ."], short).text
    assert holes.startswith("Mia ") and holes.endswith(".")
    model, own = built(M2M100(**LONG), "seq2seq")
    assert (
        ask(model, own, [TEXT], short, source="en").text
        == ask(model, own, [TEXT], short, source="en", target="it").text
    )
    with pytest.raises(RecipeError, match="translates between en, it: say which with --source and --target"):
        ask(model, own, [TEXT], short)
    with pytest.raises(RecipeError, match=r"no token for the language 'fr' \(it has: en, it\)"):
        ask(model, own, [TEXT], short, source="en", target="fr")
    model, own = built(Transformer(**LONG), "seq2seq")
    with pytest.raises(RecipeError, match="no tokens of languages, so it has no use for --source"):
        ask(model, own, [TEXT], short, source="en")


@pytest.mark.parametrize(
    ("head", "texts", "said"),
    [
        ("masked", ["no mask"], r"nothing to fill in: write \[MASK\]"),
        ("masked", [], r"\(masked\) takes a text with \[MASK\] in it, not 0 texts"),
        ("sequence-classification", ["a", "b", "c"], "takes one text, or two, not 3 texts"),
        ("sequence-classification", [""], "^the text is empty; this model .* takes one text, or two$"),
        ("sequence-classification", ["a", ""], "^text 2 of 2 is empty; this model"),
        ("question-answering", ["where?"], "takes a question and then a text, not 1 text"),
        ("multiple-choice", ["a", "b"], "takes a text and then its choices, not 2 texts"),
        ("masked", ["[MASK] " * 100], "has 102 tokens, and the model reads 64 at most"),
    ],
)
def test_a_question_that_does_not_fit_is_a_sentence(head: str, texts: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        ask(*built(BERT(**LONG), head), texts)


@pytest.mark.parametrize("architecture", [BERT(**LONG), XLNet(**LONG), Llama(**LONG), T5(**SIZES), M2M100(**LONG), Longformer(**LONG, window=8), ModernBERT(**LONG)], ids=str)  # fmt: skip
def test_each_row_of_a_map_sums_to_one(architecture: Any) -> None:
    head = {"decoder": "causal", "encoder-decoder": "seq2seq"}.get(architecture.family, "masked")
    model, own = built(architecture, "permutation" if architecture.name == "xlnet" else head)
    before = model.config._attn_implementation
    maps = attention(model, own, TEXT, *(("en", "it") if architecture.name == "m2m100" else ()))
    assert model.config._attn_implementation == before
    assert [one.part for one in maps] == (["encoder", "decoder", "decoder to encoder"] if len(maps) > 1 else [""])
    for _, weights, queries, keys in maps:
        assert weights.shape == (2, 2, len(queries), len(keys))
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:3]))
    drawn = picture(maps)
    assert drawn.count("layer ") == 4 * len(maps) and drawn.startswith("<svg") and "NaN" not in drawn
    with pytest.raises(RecipeError, match="a picture of more than 64|reads 64 at most"):
        attention(model, own, TEXT * 20)


def test_neighbours_are_the_smallest_angles() -> None:
    model, own = built(BERT(**LONG), "masked")
    table = model.get_input_embeddings().weight.detach()
    found = neighbours(model, own, "red", 4)
    ids = own.convert_tokens_to_ids([name for name, _ in found])
    (own_id,) = own("red", add_special_tokens=False)["input_ids"]
    expected = torch.nn.functional.cosine_similarity(table[own_id][None], table[ids])
    assert [near for _, near in found] == pytest.approx(expected.tolist(), rel=1e-4)
    assert own_id not in ids and sorted(expected.tolist(), reverse=True) == expected.tolist()
    with pytest.raises(RecipeError, match="does not know the word '☃'"):
        neighbours(model, own, "☃")


def test_asking_leaves_every_module_in_its_mode() -> None:
    model, own = built(BERT(**LONG), "masked")
    modes = {name: name.startswith("bert.encoder.layer.0") for name, _ in model.named_modules()}
    for name, module in model.named_modules():
        module.training = modes[name]
    ask(model, own, [f"Mia sees the {own.mask_token} ."])
    assert {name: module.training for name, module in model.named_modules()} == modes
    model.eval()
