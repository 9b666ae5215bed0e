"""Rows of tasks: how they are recognised, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolrecipes import Files, Recipe, RecipeError, Toy
from smolrecipes.assemble import load_rows
from smolrecipes.data.phrases import inside
from smolrecipes.data.recognise import recognise
from smolrecipes.data.rows import convert, make, normal, prompt_key, row_type, texts
from smolrecipes.data.split import split_phrases


def read(*rows):
    """The row type, the sentence, and the rows as a dataset gives them back."""
    named = [(f"x.jsonl:{i}", row) for i, row in enumerate(rows, 1)]
    shape = recognise(named, "x.jsonl")
    made = make(shape.rows, (shape.convert(row, origin) for origin, row in named))
    assert row_type(made) == shape.rows
    return shape.rows, shape.sentence(), [{k: v for k, v in row.items() if k != "origin"} for row in made]


def refused(*rows):
    with pytest.raises(RecipeError) as caught:
        read(*rows)
    return str(caught.value)


def test_pairs_with_a_number_or_a_class():
    pair = {"sentence1": "a", "sentence2": "b"}
    assert read({**pair, "label": 3.75}, {**pair, "label": 5.0})[2][1] == {"texts": ["a", "b"], "label": 5.0}
    assert read({**pair, "score": "3.5"}, {**pair, "score": "4"})[2][0]["label"] == 3.5
    assert read({**pair, "label": 1.0}, {**pair, "label": 0.0})[2][0]["label"] == 1  # whole numbers are classes
    assert type(read({**pair, "label": 1.0})[2][0]["label"]) is int
    for one, other in (("premise", "hypothesis"), ("question1", "question2")):
        assert read({one: "a", other: "b", "label": "same"})[2] == [{"texts": ["a", "b"], "label": "same"}]
    assert "should be a class or a number" in refused({**pair, "label": 1.5}, {**pair, "label": float("nan")})


@pytest.mark.parametrize("tags", ["tags", "ner_tags", "labels", "pos_tags"])
def test_tagged_words(tags):
    found = read({"id": "7", "tokens": ["Mia", "runs"], tags: ["B-PER", "O"]})
    assert found == ("tagged", f"tokens and {tags}, read as tagged words; id ignored",
                     [{"tokens": ["Mia", "runs"], "tags": ["B-PER", "O"]}])  # fmt: skip
    assert read({"tokens": ["Mia"], tags: [3]})[2][0]["tags"] == ["3"]
    assert "x.jsonl:1" in refused({"tokens": ["Mia", "runs"], tags: ["O"]})


def test_a_conll_file(tmp_path):
    path = tmp_path / "train.conll"
    path.write_text("-DOCSTART- -X- O\n\nMia NNP B-PER\nruns VB O\n\n\nRome NNP B-LOC\n", encoding="utf-8")
    rows = list(Files(str(path)).load())
    assert [(row["tokens"], row["tags"]) for row in rows] == [(["Mia", "runs"], ["B-PER", "O"]), (["Rome"], ["B-LOC"])]
    assert [row["origin"] for row in rows] == ["train.conll:3", "train.conll:7"]
    path.write_text("Mia B-PER\nruns\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="train.conll:2: a word and its tag"):
        Files(str(path)).load()


def test_multiple_choice_in_its_shapes():
    expected = {"text": "Mia", "choices": ["runs", "eats"], "label": 1}
    shapes = (
        {"text": "Mia", "choices": ["runs", "eats"], "label": 1},
        {"ctx": "Mia", "endings": ["runs", "eats"], "label": "1"},
        {"question": "Mia", "options": ["runs", "eats"], "answer": "B"},
        {"startphrase": "Mia", "ending0": "runs", "ending1": "eats", "label": 1},
        {"question": "Mia", "choices": ["runs", "eats"], "answer": "eats"},
    )
    for row in shapes:
        assert read(row)[::2] == ("choices", [expected]), row
    assert "which of the 2 choices" in refused({"text": "Mia", "choices": ["runs", "eats"], "label": 2})


def test_questions_on_a_text():
    row = {"question": "Who?", "context": "Mia is here.", "answers": {"text": ["Mia"], "answer_start": [0]}}
    assert read({"id": "1", **row})[::2] == ("question", [row])
    none = {**row, "answers": {"text": [], "answer_start": []}}
    assert read(row, none)[2][1] == none
    wrong = {**row, "answers": {"text": ["here"], "answer_start": [3]}}
    assert "'here' does not begin at character 3" in refused(row, wrong)
    for answers in ([], {"text": "Mia", "answer_start": 0}, {"text": ["Mia"], "answer_start": ["0"]}):
        assert "answers should be" in refused(row, {**row, "answers": answers})
    assert read({"question": "Who?", "answer": "Mia"})[0] == "pair"


def test_every_task_can_be_read_as_text_and_is_split_by_what_it_tells():
    for task in ("paraphrases", "names", "reading", "endings"):
        rows = Toy(task, rows=20).load()
        as_text, said = convert(rows, ("text",), "MLM")
        assert "read as text" in said and as_text[3]["text"] == " ".join(texts(rows[3])) and as_text[3]["origin"]
        assert prompt_key(rows[3])
    reading = Toy("reading", rows=5).load()
    assert prompt_key(reading[0]) == normal(reading[0]["context"])


@settings(max_examples=60)
@given(st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=7).map(" ".join), max_size=25))
def test_what_lies_inside_what(some):
    some = sorted(some)

    def within(part, whole):
        return part != whole and f" {part} " in f" {whole} "

    roots = [whole for whole in some if not any(within(whole, other) for other in some)]
    expected = {part: [whole for whole in roots if within(part, whole)] for part in some if part not in roots}
    assert {part: sorted(wholes) for part, wholes in inside(some).items()} == expected


def phrases():
    """Sentences and all of their phrases, as a treebank has them."""
    sentences = [row["text"].split() for row in Toy("reviews", rows=60, languages=("en",)).load()]
    spans = {" ".join(s[i:j]) for s in sentences for i in range(0, len(s), 3) for j in range(i + 1, len(s) + 1, 3)}
    spans |= {" ".join(sentence) for sentence in sentences}
    return make("labelled", [{"text": t, "label": 0, "origin": f"x:{i}"} for i, t in enumerate(sorted(spans))])


def test_no_held_out_phrase_lies_inside_a_training_phrase():
    rows = phrases()
    train, held_out = split_phrases(rows, 150, seed=1)
    assert len(train) + len(held_out) == len(rows) and 100 < len(held_out) <= 150
    joined = " | ".join(f" {normal(text)} " for text in train["text"])
    assert not any(f" {normal(text)} " in joined for text in held_out["text"])
    assert split_phrases(rows, 150, seed=1)[1]["text"] == held_out["text"]
    assert split_phrases(rows, 150, seed=2)[1]["text"] != held_out["text"]


def test_the_option_asks_for_it(tmp_path):
    from smolrecipes import MLM, ModernBERT

    path = tmp_path / "x.tsv"
    path.write_text("sentence\tlabel\n" + "".join(f"{row['text']}\t{row['label']}\n" for row in phrases()))
    recipe = Recipe(model=ModernBERT(), data=Files(str(path)), objective=MLM(), validation=150, holdout="phrases")
    train, held_out, _ = load_rows(recipe)
    assert held_out is not None and not any(
        f" {normal(held_out[0]['text'])} " in f" {normal(t)} " for t in train["text"]
    )
    with pytest.raises(RecipeError, match="holdout=phrases takes a share"):
        recipe.replace(validation=Toy("reviews"))
