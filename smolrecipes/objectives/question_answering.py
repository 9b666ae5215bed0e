"""QuestionAnswering: where in a text the answer to a question begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Loss, Mean, Objective
from smolrecipes.limits import Ge, Positive

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from smolrecipes.kinds import Architecture, Layout


class QuestionAnswering(Objective, name="question_answering"):
    """Answers that stand in a text, by their first and last token (SQuAD, arXiv:1606.05250, as in arXiv:1810.04805).

    A text that is too long is read in windows; one without the answer points at the control token, as in arXiv:1806.03822.
    """

    rows: ClassVar[tuple[str, ...]] = ("question",)
    families: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "encoder-decoder")
    head: ClassVar[str] = "question-answering"
    prepare_reads: ClassVar[tuple[str, ...]] = ("overlap", "unanswerable")
    metrics: ClassVar[tuple[str, ...]] = ("exact_match",)

    overlap: Annotated[int, Ge(0)] = 64
    """Tokens that two windows of a text have in common."""
    longest: Positive = 30
    """Tokens that an answer has at most when the model answers."""
    unanswerable: bool = False
    """Rows without an answer are learned, and the model may answer that there is none (arXiv:1806.03822)."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Question and context as ids, where in the context each token lies, and the right answers."""
        from smolrecipes.objectives.framed import encode, frame, with_offsets

        answers = row["answers"]["text"]
        if not answers and not self.unanswerable:
            raise RecipeError("this question has no answer; objective.unanswerable=true learns those as well")
        (question,), (context, starts, ends) = (
            encode([row["question"]], tokenizer),
            with_offsets(row["context"], tokenizer),
        )
        room = max_length - frame(tokenizer, 2).size - len(question)
        if room <= self.overlap and len(context) > room:
            raise RecipeError(
                f"a question of {len(question)} tokens leaves {max(0, room)} of training.max_length={max_length} to the text, "
                f"and its windows overlap by {self.overlap}: give more room, or a smaller objective.overlap"
            )
        if not context:
            return None
        first = row["answers"]["answer_start"][0] if answers else -1
        return {
            **{"input_ids": question, "context": context, "starts": starts.tolist(), "ends": ends.tolist()},
            **{
                "text": row["context"],
                "answers": answers,
                "answer": [first, first + len(answers[0]) if answers else -1],
            },
        }

    def arrange(self, examples: Dataset, max_length: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """The windows of all rows; `row` says of which one each is."""
        from datasets import Dataset

        from smolrecipes.objectives.framed import frame
        from smolrecipes.objectives.windows import windows

        around = frame(tokenizer, 2)
        found = [
            {**window, "row": index, "origin": example["origin"]}
            for index, example in enumerate(examples)
            for window in windows(example, around, max_length, self.overlap, tokenizer.cls_token_id)
        ]
        return Dataset.from_list(found)

    def complete(self, model: PreTrainedModel, architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> None:
        """Keeps in the config what whoever asks the model must know."""
        model.config.may_have_no_answer, model.config.longest_answer = self.unanswerable, self.longest

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """The windows; a label tells which tokens may begin and end an answer, and which do (`windows.py`).

        Longformer sees everything from a question's tokens.
        """
        import numpy as np
        import torch

        from smolrecipes.objectives.framed import between

        sequences = [(e["input_ids"], e["labels"], (0, 0), e.get("token_type_ids")) for e in examples]
        batch = layout(sequences, causal=False)
        keep = ("none_first", "starts", "ends", "text", "answers")
        facts: dict[str, Any] = {
            "windows": np.array([{name: e[name] for name in keep} for e in examples], dtype=object)
        }
        if "spans" not in batch:
            asked = [e["first"] for e in examples]
            facts["global_attention_mask"] = between(batch["input_ids"].shape[1], [0] * len(asked), asked)
        return {**batch, **facts, "row": torch.tensor([e["row"] for e in examples])}

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`windows`: rows, where each is read at once."""
        return {"windows": len(batch["row"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood of the first and of the last token, their mean, in nats per window."""
        from smolrecipes.objectives.losses import log_softmax_within
        from smolrecipes.objectives.tasks import answered
        from smolrecipes.objectives.windows import BEGINS, ENDS, best

        found, labels, rows, count = answered(model, batch), batch["labels"], batch["rows"], len(batch["row"])
        scores = [side.flatten()[batch["at"]].float() for side in (found.start_logits, found.end_logits)]
        sums = [
            -log_softmax_within(side, rows, count)[labels & bit > 0].sum()
            for side, bit in zip(scores, (BEGINS, ENDS), strict=True)
        ]
        terms = {"nll": Mean((sums[0] + sums[1]) / 2, "windows")}
        answers = {} if model.training else best(scores, batch, self.longest)
        return Loss(terms, answers={**answers, "row": batch["row"]} if answers else {})

    def measure(self, answers: dict[str, NDArray[Any]]) -> dict[str, float]:
        """SQuAD's `exact_match` and `f1`, of each row's likeliest answer over all of its windows."""
        from smolrecipes.objectives.windows import over_rows

        return over_rows(answers, self.unanswerable)
