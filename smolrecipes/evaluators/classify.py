"""Which class a model gives each row: an encoder by its head, a model that writes by what it would rather say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.evaluators.answers import answered, check_writes, said
from smolrecipes.evaluators.passes import answer, check_predicts
from smolrecipes.kinds import Evaluator, Scores, Subject

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray

MOST = 50
"""Classes; more different answers than that are no classes."""


class Classify(Evaluator, name="classify"):
    """Accuracy, macro F1, and who is taken for whom, of rows whose answer is one of a few.

    Of conversations the classes are the last answers; of labelled texts the labels, and the text is what the user says.
    """

    rows: ClassVar[tuple[str, ...]] = ("messages", "labelled")

    by: Literal["likelihood", "generation"] = option(default="likelihood", affects_weights=False)
    """likelihood: the class whose words are likeliest as the answer. generation: the class that is written; another answer
    counts as wrong. A model with a head for classes is asked by its head."""
    system: str = option(default="", affects_weights=False)
    """What the system message says, for labelled texts."""

    @property
    def asks(self) -> bool:
        return self.by == "generation"

    def check(self, subject: Subject) -> None:
        super().check(subject)
        if _has_head(subject):
            if "by" in self.changed():
                raise RecipeError(f"classify.by={self.by}: the model has a head for classes, and is asked by it")
        elif self.by == "generation":
            check_writes(subject)
        else:
            check_predicts(subject)

    def length(self, row: dict[str, Any], subject: Subject) -> int:
        """The prompt's, and of the right class; a head's objective cuts texts itself."""
        messages, right, tools = _question(row, self.system)
        return 0 if _has_head(subject) else len(answer(messages, _says(right), subject.tokenizer, tools).ids) - 1

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`right` and `found`, the number of a class in order of its name; one more than the last where it is none."""
        listed = list(rows)
        asked, right, tools = zip(*(_question(row, self.system) for row in listed))
        classes = sorted(set(right))
        if not 1 < len(classes) <= MOST:
            raise RecipeError(
                f"classify: the rows have {len(classes)} different answers, which are no classes to tell apart"
            )
        found = self._found(subject, list(asked), list(tools), classes)
        numbers = {name: float(index) for index, name in enumerate(classes)}
        columns = {
            "right": [numbers[name] for name in right],
            "found": [numbers.get(name, float(len(classes))) for name in found],
        }
        shown = [{"asked": said(one[-1]), "answered": a, "right": r} for one, a, r in zip(asked, found, right)]
        return Scores(columns, shown)

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        import numpy as np

        right, found = columns["right"], columns["found"]
        scores = []
        for one in np.unique(right):
            hits = float(((right == one) & (found == one)).sum())
            scores.append(2 * hits / float((right == one).sum() + (found == one).sum()))
        return {"accuracy": float((right == found).mean()), "macro_f1": float(np.mean(scores))}

    def confusion(self, scores: Scores) -> dict[str, dict[str, int]]:
        """Of each class how often each answer was found in its place."""
        from collections import Counter

        pairs = Counter((row["right"], row["answered"]) for row in scores.shown)
        return {
            right: {answer: n for (one, answer), n in sorted(pairs.items()) if one == right}
            for right in sorted({right for right, _ in pairs})
        }

    def _found(self, subject: Subject, asked: list[Any], tools: list[Any], classes: list[str]) -> list[str]:
        if _has_head(subject):
            from smolrecipes.ask.ask import ask

            texts = [said(messages[-1]) for messages in asked]
            return [str(ask(subject.model, subject.tokenizer, [text]).data["label"]) for text in texts]
        if self.by == "generation":
            return [answer.strip() for answer in answered(subject, asked, tools)]
        return _likeliest(subject, asked, tools, classes)


def _has_head(subject: Subject) -> bool:
    from smolrecipes.architectures.heads import head_of

    return head_of(subject.model.config, type(subject.model).__name__) == "sequence-classification"


def _likeliest(subject: Subject, asked: list[Any], tools: list[Any], classes: list[str]) -> list[str]:
    """Of each question the class that is likeliest as its whole answer, with the token that ends it."""
    from smolrecipes.evaluators.passes import summed

    sequences = [
        answer(messages, _says(name), subject.tokenizer, offered)
        for messages, offered in zip(asked, tools)
        for name in classes
    ]
    scores = [logp for logp, _ in summed(subject, sequences)]
    rows = [scores[start : start + len(classes)] for start in range(0, len(scores), len(classes))]
    return [classes[row.index(max(row))] for row in rows]


def _says(name: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": name}]


def _question(row: dict[str, Any], system: str) -> tuple[list[dict[str, Any]], str, Any]:
    """The messages before the answer, the class that is right, and the functions on offer."""
    if "messages" in row:
        if system:
            raise RecipeError(f"classify.system: {row['origin']} is a conversation, which has its own; leave it out")
        *before, last = row["messages"]
        if last["role"] != "assistant":
            raise RecipeError(f"{row['origin']}: the last message is not the assistant's, so it names no class")
        return before, said(last).strip(), row["tools"]
    if "text" not in row:
        raise RecipeError(f"{row['origin']}: classify asks about one text a row, and this one has two")
    opening = [{"role": "system", "content": system}] if system else []
    return [*opening, {"role": "user", "content": row["text"]}], str(row["label"]), None
