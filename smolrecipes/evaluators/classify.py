"""Which class a model gives each row: an encoder by its head, a model that writes by what it would rather say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.evaluators.answers import answered, said
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

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`right` and `found`, the number of a class in order of its name; one more than the last where it is none."""
        listed = list(rows)
        asked, right = zip(*(_question(row, self.system) for row in listed))
        classes = sorted(set(right))
        if not 1 < len(classes) <= MOST:
            raise RecipeError(
                f"classify: the rows have {len(classes)} different answers, which are no classes to tell apart"
            )
        found = self._found(subject, list(asked), classes)
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

    def _found(self, subject: Subject, asked: list[Any], classes: list[str]) -> list[str]:
        from smolrecipes.architectures.heads import head_of

        model = subject.model
        if head_of(model.config, type(model).__name__) == "sequence-classification":
            from smolrecipes.ask.ask import ask

            texts = [said(messages[-1]) for messages in asked]
            return [str(ask(model, subject.tokenizer, [text]).data["label"]) for text in texts]
        if self.by == "generation":
            return [answer.strip() for answer in answered(subject, asked, [None] * len(asked))]
        return _likeliest(subject, asked, classes)


def _likeliest(subject: Subject, asked: list[Any], classes: list[str]) -> list[str]:
    """Of each question the class that is likeliest as its whole answer, with the token that ends it."""
    from smolrecipes.evaluators.passes import answer, summed

    said = [[{"role": "assistant", "content": name}] for name in classes]
    sequences = [answer(messages, one, subject.tokenizer) for messages in asked for one in said]
    scores = [logp for logp, _ in summed(subject, sequences)]
    rows = [scores[start : start + len(classes)] for start in range(0, len(scores), len(classes))]
    return [classes[row.index(max(row))] for row in rows]


def _question(row: dict[str, Any], system: str) -> tuple[list[dict[str, Any]], str]:
    """The messages before the answer, and the class that is right."""
    if "messages" in row:
        *before, last = row["messages"]
        if last["role"] != "assistant":
            raise RecipeError(f"{row['origin']}: the last message is not the assistant's, so it names no class")
        return before, said(last).strip()
    if "text" not in row:
        raise RecipeError(f"{row['origin']}: classify asks about one text a row, and this one has two")
    opening = [{"role": "system", "content": system}] if system else []
    return [*opening, {"role": "user", "content": row["text"]}], str(row["label"])
