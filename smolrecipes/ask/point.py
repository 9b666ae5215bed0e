"""Models that point at words: the names in a text, and the answer to a question on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.ask.answer import Answer, Wish
from smolrecipes.ask.judge import classes, longest, plain_layout
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def tag(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """The tag of each word, of which tags that mark spans (B-PER, I-PER) make spans."""
    from smolrecipes.objectives.answers import is_bio, spans
    from smolrecipes.objectives.tasks import answered, placed
    from smolrecipes.objectives.token_classification import TokenClassification

    names, words = tuple(classes(model)), texts[0].split()
    objective = TokenClassification(labels=names, at=getattr(model.config, "tagged_at", "first"))
    row = {"tokens": words, "tags": [names[0]] * len(words), "origin": "the text"}
    example = objective.prepare(row, tokenizer, longest(model))
    if example is None:
        raise RecipeError("the text has no word that the tokenizer knows")
    if example.get("cut"):
        raise RecipeError(f"the text is longer than the {longest(model):,} tokens that the model reads")
    batch = placed(objective.collate([example], plain_layout(model, tokenizer)), model)
    said = answered(model, batch).logits.flatten(0, 1)[batch["at"]].argmax(-1).tolist()
    tags = [names[i] for i in said]
    if len(tags) != len(words):
        raise RecipeError("the tokenizer makes nothing of some of the words, so that their tags cannot be told")
    pairs = [list(one) for one in zip(words, tags)]
    if not is_bio(names):
        return Answer(" ".join(f"{word}/{name}" for word, name in pairs), {"tags": pairs})
    found = [(kind, " ".join(words[start:stop])) for start, stop, kind in sorted(spans(tags))]
    lines = "\n".join(f"{kind}  {text}" for kind, text in found) or "(nothing found)"
    return Answer(lines, {"tags": pairs, "spans": [list(one) for one in found]})


def answer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """The likeliest words of the text, over all of its windows."""
    from datasets import Dataset

    from smolrecipes.objectives.question_answering import QuestionAnswering
    from smolrecipes.objectives.tasks import answered, placed
    from smolrecipes.objectives.windows import best

    question, context = texts
    size = getattr(model.config, "longest_answer", 30)
    objective = QuestionAnswering(unanswerable=True, overlap=16, longest=size)
    nothing: dict[str, list[Any]] = {"text": [], "answer_start": []}
    row = {"question": question, "context": context, "answers": nothing, "origin": "the text"}
    room = min(longest(model), 1024)
    example = objective.prepare(row, tokenizer, room)
    if example is None:
        raise RecipeError("the text is empty")
    windows = objective.arrange(Dataset.from_list([{**example, "origin": "the text"}]), room, tokenizer)
    batch = placed(objective.collate([*windows], plain_layout(model, tokenizer)), model)
    found = answered(model, batch)
    sides = [side.flatten()[batch["at"]].float() for side in (found.start_logits, found.end_logits)]
    scores = best(sides, batch, objective.longest)
    chosen = int(scores["score"].argmax())
    none, score = float(scores["none"].min()), float(scores["score"][chosen])
    if getattr(model.config, "may_have_no_answer", False) and none > score:
        return Answer("(no answer)", {"answer": None, "score": none})
    start, stop = (int(scores[name][chosen]) for name in ("start", "stop"))
    said = context[start:stop]
    return Answer(said, {"answer": said, "start": start, "end": stop, "score": score})
