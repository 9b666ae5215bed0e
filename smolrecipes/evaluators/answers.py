"""What a model writes, graded row by row: the ground that one's own tasks stand on."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Evaluator, Scores, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset

Row = dict[str, Any]


class Answers(Evaluator):
    """Asks what each row asks, as in training, and grades the answer.

    A task of one's own is a subclass with `grade`; where rows are no conversations, `question` and `expected` as well.
    """

    rows: ClassVar[tuple[str, ...]] = ("messages", "pair")

    decoding: Decoding | None = option(default=None, affects_weights=False)
    """How answers are written; None takes the recipe's own."""

    @property
    def asks(self) -> bool:
        return True

    def check(self, subject: Subject) -> None:
        super().check(subject)
        check_writes(subject)

    def length(self, row: Row, subject: Subject) -> int:
        """The prompt's, and a token that is written."""
        return len(prompt(subject, self.question(row), row.get("tools"))) + 1

    @abstractmethod
    def grade(self, answer: str, row: Row) -> dict[str, float]:
        """Numbers from 0 to 1 for one answer, the same names for every row."""

    def question(self, row: Row) -> list[dict[str, Any]] | str:
        """The messages before the last answer, or the text that a model without a chat template goes on from."""
        return row["messages"][: _last(row)] if "messages" in row else str(row["source"])

    def expected(self, row: Row) -> str:
        """What is right, for people to read."""
        return said(row["messages"][_last(row)]) if "messages" in row else str(row["target"])

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """The grades of each row, with the question, the answer, and what is right."""
        listed = list(rows)
        asked = [self.question(row) for row in listed]
        answers = answered(subject, asked, [row.get("tools") for row in listed], self.decoding)
        grades = [self.grade(answer, row) for answer, row in zip(answers, listed)]
        columns = {name: [float(grade[name]) for grade in grades] for name in grades[0]}
        shown = [
            {"asked": question if isinstance(question, str) else said(question[-1]), "answered": answer, "right": right}
            for question, answer, right in zip(asked, answers, map(self.expected, listed))
        ]
        return Scores(columns, shown)


def answered(subject: Subject, asked: list[Any], tools: list[Any], decoding: Decoding | None = None) -> list[str]:
    """What the model answers to each; control tokens left out."""
    from smolrecipes.generate import generate

    prompts = [prompt(subject, one, offered) for one, offered in zip(asked, tools)]
    how = decoding or subject.decoding
    if subject.file:
        return _by_llama_cpp(subject.file, subject.tokenizer, prompts, how)
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))  # alike ones share a batch
    found = generate(subject.model, subject.tokenizer, [prompts[index] for index in order], how)
    return [answer for _, answer in sorted(zip(order, found))]


def prompt(subject: Subject, asked: list[dict[str, Any]] | str, tools: Any = None) -> list[int]:
    """The tokens of messages, as the template writes them in training, or of a text."""
    from smolrecipes.conversation.tokens import prompt_ids
    from smolrecipes.generate import encoded

    tokenizer = subject.tokenizer
    if tokenizer.chat_template and not isinstance(asked, str):
        return prompt_ids(asked, tokenizer, tools)
    if tools:
        raise RecipeError("the tokenizer has no chat template, which tools need; evaluate a model that has one")
    text = asked if isinstance(asked, str) else "".join(str(message.get("content") or "") for message in asked)
    return encoded(subject.model, tokenizer, text)


def check_writes(subject: Subject) -> None:
    """RecipeError where the model writes no text."""
    if not subject.model.can_generate():
        raise RecipeError("the model writes no text, so it cannot be asked for answers")


def _by_llama_cpp(file: Path, tokenizer: Any, prompts: list[list[int]], decoding: Decoding) -> list[str]:
    """The same of a GGUF file, from the same token ids."""
    from smolrecipes.llama_cpp import running

    if others := [name for name in decoding.changed() if name != "max_new_tokens"]:
        raise RecipeError(f"{file}: llama.cpp is asked greedily here; leave decoding.{others[0]} as it is, by default")
    most = decoding.max_new_tokens
    with running(file, max(map(len, prompts)) + most) as found:
        return [tokenizer.decode(found.answer(ids, most), skip_special_tokens=True) for ids in prompts]


def said(message: dict[str, Any]) -> str:
    """What a message says, its calls as JSON."""
    import json

    calls = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls") or []]
    return "\n".join(filter(None, [str(message.get("content") or ""), *calls]))


def _last(row: Row) -> int:
    """Where the last answer stands."""
    return spoken(row)[-1]


def spoken(row: Row) -> list[int]:
    """Where the assistant speaks."""
    found = [index for index, message in enumerate(row["messages"]) if message["role"] == "assistant"]
    if not found:
        raise RecipeError(f"{row['origin']}: no message is the assistant's, so there is no answer to compare with")
    return found
