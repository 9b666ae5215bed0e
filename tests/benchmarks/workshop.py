"""The workshop's examples in numbers: `python tests/benchmarks/workshop.py sentiment|functions [--data FILE] [--runs runs]`.

sentiment: the chat model before and after `sentiment_chat`, and TF-IDF with logistic regression on the same split (with
scikit-learn); --data sst2_train.tsv takes phrases, of which no held-out one lies inside a training one.
functions: the base and `function_calling`, what was forgotten, and its GGUF files in llama.cpp beside the model.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from smolrecipes import GGUF, Chats, Classify, Files, Forgetting, FunctionCalls, Recipe, Run, Toy, run
from smolrecipes.assemble import load_rows
from smolrecipes.evaluation import beside, difference, evaluate, subject_of
from smolrecipes.load import load_recipe

NAMES = {"0": "negative", "1": "positive"}
FORMS = ("f16", "q8_0", "q4_0", "q4_k_m")
"""Of GGUF."""


def main() -> None:
    """Prints a line of JSON for each number."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("what", choices=["sentiment", "functions"])
    made.add_argument("--data", help="real rows in the place of the generated ones")
    made.add_argument("--steps", type=int, help="steps of training, where the recipe's are not wanted")
    made.add_argument("--runs", default="runs", help="where the runs lie")
    made.add_argument("changes", nargs="*", metavar="OPTION=VALUE", help="of the recipe: training.max_length=768")
    options = made.parse_intermixed_args()
    {"sentiment": sentiment, "functions": functions}[options.what](options)


def sentiment(options: argparse.Namespace) -> None:
    """Reviews that a chat model calls positive or negative."""
    recipe = load_recipe("sentiment_chat", options.changes)
    if options.data:
        asked: Any = recipe.data
        data = Chats(Files(options.data), system=asked.system, answers=NAMES)
        recipe = recipe.replace(data=data, validation=2000, holdout="phrases")
    done = run(stepped(recipe, options), runs=options.runs)
    tell("likelihood of the answers", compared(done, Classify()))
    tell("words", tfidf(recipe))


def functions(options: argparse.Namespace) -> None:
    """A LoRA that calls functions, and the files that were made of it."""
    recipe = load_recipe("function_calling", options.changes)
    if options.data:
        recipe = recipe.replace(data=Files(options.data))
    done = run(stepped(recipe, options), runs=options.runs)
    asked = FunctionCalls(max_rows=None)
    tell("function calls", compared(done, asked))
    tell("chats", evaluate(Forgetting(data=Toy("chat", rows=200, seed=2)), subject_of(done.model)).numbers)
    model = evaluate(asked, subject_of(done.model))
    for form in FORMS:
        found = evaluate(asked, subject_of(GGUF(form).export(done)))
        same = sum(mine["answered"] == its["answered"] for mine, its in zip(model.scores.shown, found.scores.shown))
        gap = difference(model, found).intervals
        tell(form, {**found.numbers, "same answers": same, "intervals of the difference": gap})


def stepped(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe, with as many steps as asked for."""
    return recipe.override(f"training.steps={options.steps}", "training.epochs=none") if options.steps else recipe


def compared(done: Run, evaluator: Any) -> dict[str, Any]:
    """A run and the model that it was tuned from on the same held-out rows."""
    after = subject_of(done.model)
    assert after.base is not None
    before = beside(after, after.base)
    found = [evaluate(evaluator, subject) for subject in (before, after)]
    gap = difference(*found)
    return {
        "before": found[0].numbers,
        "after": found[1].numbers,
        "intervals of the difference": gap.intervals,
        "rows": len(found[1].origins),
    }


def tfidf(recipe: Recipe) -> dict[str, Any]:
    """Words and pairs of words, weighed, and a linear classifier, its strength the best for the held-out rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, held_out, _ = load_rows(recipe)
    assert held_out is not None
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    read = words.fit_transform(asked for asked, _ in map(pair, train))
    answers, rest = [said for _, said in map(pair, train)], list(map(pair, held_out))
    best = 0.0
    for strength in (1, 3, 10, 30):
        model = LogisticRegression(C=strength, max_iter=1000).fit(read, answers)
        found = model.predict(words.transform(asked for asked, _ in rest))
        best = max(best, sum(mine == said for mine, (_, said) in zip(found, rest)) / len(rest))
    return {"accuracy": best, "rows": len(train), "held out": len(rest)}


def pair(row: dict[str, Any]) -> tuple[str, str]:
    """What is asked and what is answered."""
    messages = row["messages"] if isinstance(row["messages"], list) else json.loads(row["messages"])
    return str(messages[-2]["content"]), str(messages[-1]["content"])


def tell(what: str, found: Any) -> None:
    """One line."""
    print(json.dumps({"what": what, "found": found}, default=str), flush=True)


if __name__ == "__main__":
    main()
