"""KTO: learn from answers that are good or bad by themselves."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.limits import Gt
from smolrecipes.objectives.preference import PairwiseObjective
from smolrecipes.objectives.trl import TRLObjective

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

    from smolrecipes.kinds import Parts


class KTO(TRLObjective, PairwiseObjective, name="kto"):
    """Kahneman-Tversky optimisation (arXiv:2402.01306), by TRL's KTOTrainer: answers judged singly, or in pairs."""

    rows: ClassVar[tuple[str, ...]] = ("preference", "judged")
    prepare_reads: ClassVar[tuple[str, ...]] = ()

    beta: Annotated[float, Gt(0)] = 0.1
    """How strongly the policy is held to the reference."""
    desirable_weight: Annotated[float, Gt(0)] = 1.0
    """Weight of the good answers' losses."""
    undesirable_weight: Annotated[float, Gt(0)] = 1.0
    """Weight of the bad answers' losses."""

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Of a pair as `PairwiseObjective` does; of an answer its ids after those of the prompt, and the judgement."""
        if "completion" not in row:
            return super().prepare(row, tokenizer, max_length)
        from smolrecipes.conversation.cut import spelling
        from smolrecipes.objectives.chat import continuation

        roles = [message["role"] for message in row["completion"]]
        if roles != ["assistant"]:
            raise RecipeError(f"completion should be one message of the assistant, and it is {', '.join(roles)}")
        prompt, answer = continuation(row["prompt"], row["completion"], tokenizer, row["tools"])
        ids = [*prompt, *answer]
        if not prompt or not answer or len(prompt) >= max_length:
            return None
        counts = {"cut": max(0, len(ids) - max_length), "spelt": spelling(row["prompt"] + row["completion"], tokenizer)}
        return {"input_ids": ids[:max_length], "asked": len(prompt), "label": row["label"], **counts}

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's KTOConfig."""
        from trl import KTOConfig

        from smolrecipes.objectives.trl import trl_arguments

        own = {name: getattr(self, name) for name in self.options()}
        return trl_arguments(KTOConfig, options, **own, train_sampling_strategy="sequential")

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's KTOTrainer on our ids. It counts answers: where the rows are pairs, batches are twice as large.

        It needs a fixed order for its estimate of the KL term; the seed decides it.
        """
        from dataclasses import replace

        from trl import KTOTrainer

        from smolrecipes.objectives.trl import build, prepared, whole_batches

        answers, each = (single, 1) if "label" in parts.train.column_names else (unpaired, 2)
        arguments = whole_batches(parts)
        arguments.per_device_train_batch_size *= each
        arguments.per_device_eval_batch_size *= each
        size = arguments.per_device_train_batch_size
        if size < 2:
            raise RecipeError(
                "training.global_batch_size: KTO compares the answers of a micro-batch, so each process needs two or "
                "more at a time; take an even number, and training.micro_batch_size=2 or more"
            )
        train = answers(parts.train.shuffle(seed=parts.seed), size)
        self._check_balance(train["label"][:])
        held_out = None if parts.validation is None else answers(parts.validation, size)
        ours = replace(parts, train=train, validation=held_out, batch=each * parts.batch)
        return build(prepared(KTOTrainer), ours, lambda row: row)

    def _check_balance(self, labels: list[bool]) -> None:
        """That there are good and bad answers, and a warning where one kind outweighs the other."""
        good, bad = sum(labels), len(labels) - sum(labels)
        if not good or not bad:
            raise RecipeError(f"KTO learns from good and bad answers, and every label is {'true' if good else 'false'}")
        share = good * self.desirable_weight / (bad * self.undesirable_weight)
        if not 0.75 <= share <= 1.5:  # the paper keeps it between 1 and 4/3
            less, weight = ("desirable", 1 / share) if share < 1 else ("undesirable", share)
            weight *= getattr(self, f"{less}_weight")
            text = f"KTO: {good:,} good and {bad:,} bad answers"
            warnings.warn(f"{text}; objective.{less}_weight={weight:.3g} would weigh them alike", stacklevel=1)


def unpaired(pairs: Dataset, size: int) -> Dataset:
    """Single answers, good and bad in turn, neighbours from different prompts; two passes take both of each pair."""
    import pyarrow as pa

    table, count = pairs.with_format("arrow")[:], len(pairs)
    rows = [row for _ in range(2) for row in range(count)]
    good = [(row + again) % 2 == 0 for again in range(2) for row in range(count)]
    both = pa.chunked_array([*table["chosen"].chunks, *table["rejected"].chunks])
    answers = both.take(pa.array([row if is_good else row + count for row, is_good in zip(rows, good, strict=True)]))
    prompts = table["prompt"].take(pa.array(rows))
    return mismatched({"prompt_ids": prompts, "completion_ids": answers, "label": pa.array(good)}, size)


def single(examples: Dataset, size: int) -> Dataset:
    """Answers that were judged singly."""

    def parted(row: dict[str, Any]) -> dict[str, Any]:
        return {"prompt_ids": row["input_ids"][: row["asked"]], "completion_ids": row["input_ids"][row["asked"] :]}

    table = examples.map(parted, load_from_cache_file=False).with_format("arrow")[:]
    return mismatched({name: table[name] for name in ("prompt_ids", "completion_ids", "label")}, size)


def mismatched(columns: dict[str, Any], size: int) -> Dataset:
    """The rows with `KL_completion_ids`: another row's answer of the same micro-batch (of `size` rows).

    From these TRL estimates the KL term: rows of one prompt next to each other would not be the mismatched pairs that
    it needs.
    """
    import pyarrow as pa
    from datasets import Dataset

    answers = columns["completion_ids"]
    before = [k - 1 if k % size else min(k + size, len(answers)) - 1 for k in range(len(answers))]
    return Dataset(pa.table({**columns, "KL_completion_ids": answers.take(pa.array(before))}))
