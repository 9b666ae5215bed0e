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
    """What the model answers to each, with the tokens that its template writes in training; control tokens left out."""
    from smolrecipes.conversation.tokens import prompt_ids
    from smolrecipes.generate import generate

    if not subject.model.can_generate():
        raise RecipeError("the model writes no text, so it cannot be asked for answers")
    tokenizer, chats = subject.tokenizer, bool(subject.tokenizer.chat_template)
    prompts: list[Any] = []
    for one, offered in zip(asked, tools):
        if isinstance(one, str):
            prompts.append(one)
        elif chats:
            prompts.append(prompt_ids(one, tokenizer, offered))
        elif offered:
            raise RecipeError("the tokenizer has no chat template, which tools need; evaluate a model that has one")
        else:
            prompts.append("".join(str(message.get("content") or "") for message in one))
    how = decoding or subject.decoding
    if subject.file:
        return _by_llama_cpp(subject.file, tokenizer, prompts, how)
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))  # alike ones share a batch
    found = generate(subject.model, tokenizer, [prompts[index] for index in order], how)
    return [answer for _, answer in sorted(zip(order, found))]


def _by_llama_cpp(file: Path, tokenizer: Any, prompts: list[Any], decoding: Decoding) -> list[str]:
    """The same of a GGUF file, from the same token ids."""
    from smolrecipes.generate import encode
    from smolrecipes.llama_cpp import running

    if others := [name for name in decoding.changed() if name != "max_new_tokens"]:
        raise RecipeError(f"{file}: llama.cpp is asked greedily here; leave decoding.{others[0]} as it is, by default")
    asked, most = [encode(tokenizer, prompt) for prompt in prompts], decoding.max_new_tokens
    with running(file, max(map(len, asked)) + most) as found:
        return [tokenizer.decode(found.answer(ids, most), skip_special_tokens=True) for ids in asked]


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
