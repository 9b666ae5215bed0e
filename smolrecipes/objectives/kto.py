"""KTO: learn from answers that are good or bad by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.limits import Gt
from smolrecipes.objectives.preference import PairwiseObjective
from smolrecipes.objectives.trl import TRLObjective

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import Trainer, TrainingArguments

    from smolrecipes.kinds import Parts


class KTO(TRLObjective, PairwiseObjective, name="kto"):
    """Kahneman-Tversky optimisation (arXiv:2402.01306), by TRL's KTOTrainer: a pair is a good and a bad answer."""

    prepare_reads: ClassVar[tuple[str, ...]] = ()

    beta: Annotated[float, Gt(0)] = 0.1
    """How strongly the policy is held to the reference."""
    desirable_weight: Annotated[float, Gt(0)] = 1.0
    """Weight of the good answers' losses."""
    undesirable_weight: Annotated[float, Gt(0)] = 1.0
    """Weight of the bad answers' losses."""

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's KTOConfig."""
        from trl import KTOConfig

        from smolrecipes.objectives.trl import trl_arguments

        own = {name: getattr(self, name) for name in self.options()}
        return trl_arguments(KTOConfig, options, **own, train_sampling_strategy="sequential")

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's KTOTrainer on our ids. It counts answers where the recipe counts pairs, so batches are twice as large.

        It needs a fixed order for its estimate of the KL term; the seed decides it.
        """
        from dataclasses import replace

        from trl import KTOTrainer

        from smolrecipes.objectives.trl import build, prepared, whole_batches

        arguments = whole_batches(parts)
        arguments.per_device_train_batch_size *= 2
        arguments.per_device_eval_batch_size *= 2
        size = arguments.per_device_train_batch_size
        train = unpaired(parts.train.shuffle(seed=parts.seed), size)
        held_out = None if parts.validation is None else unpaired(parts.validation, size)
        answers = replace(parts, train=train, validation=held_out, batch=2 * parts.batch)
        return build(prepared(KTOTrainer), answers, lambda row: row)


def unpaired(pairs: Dataset, size: int) -> Dataset:
    """Single answers, good and bad in turn, neighbours from different prompts; two passes take both of each pair.

    `KL_completion_ids` is another row's answer of the same micro-batch (of `size` rows), from which TRL estimates the
    KL term: rows of one prompt next to each other would not be the mismatched pairs that it needs.
    """
    import pyarrow as pa
    from datasets import Dataset

    table, count = pairs.with_format("arrow")[:], len(pairs)
    rows = [row for _ in range(2) for row in range(count)]
    good = [(row + again) % 2 == 0 for again in range(2) for row in range(count)]
    before = [k - 1 if k % size else min(k + size, len(rows)) - 1 for k in range(len(rows))]
    both = pa.chunked_array([*table["chosen"].chunks, *table["rejected"].chunks])
    answers = both.take(pa.array([row if is_good else row + count for row, is_good in zip(rows, good, strict=True)]))
    made = {"prompt_ids": table["prompt"].take(pa.array(rows)), "completion_ids": answers, "label": pa.array(good)}
    return Dataset(pa.table({**made, "KL_completion_ids": answers.take(pa.array(before))}))
