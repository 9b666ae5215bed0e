"""MultipleChoice: which of several endings fits a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.kinds import AnswersFor, Loss, Mean, Objective

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Layout


class MultipleChoice(Objective, name="multiple_choice"):
    """Each choice is read after the text and scored; the likeliest is the answer (arXiv:1810.04805, section 4.4)."""

    rows: ClassVar[tuple[str, ...]] = ("choices",)
    families: ClassVar[tuple[str, ...]] = ("encoder",)
    head: ClassVar[str] = "multiple-choice"
    answers_for: ClassVar[AnswersFor] = "choice"
    prepare_reads: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The text with each choice, one after the other: `sizes` says where each ends."""
        from smolrecipes.objectives.framed import read

        pairs = read([(row["text"], choice) for choice in row["choices"]], tokenizer, max_length)
        joined = {name: [each for pair in pairs for each in pair[name]] for name in pairs[0] if name.endswith("_ids")}
        sizes, seconds = [len(pair["input_ids"]) for pair in pairs], [pair["starts"][1] for pair in pairs]
        cut = sum(pair["cut"] for pair in pairs)
        return {**joined, "sizes": sizes, "seconds": seconds, "target": row["label"], "cut": cut}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """All pairs of the rows, `groups`, (pairs,), the row of each, and `target`, (rows,), the right choice.

        Longformer sees everything from a choice's tokens.
        """
        import torch

        from smolrecipes.objectives.framed import between
        from smolrecipes.objectives.labels import IGNORE

        sequences, groups = [], []
        for group, example in enumerate(examples):
            start = 0
            for size in example["sizes"]:
                ids, types = (example.get(name, [])[start : start + size] for name in ("input_ids", "token_type_ids"))
                sequences.append((ids, [IGNORE] * size, (0, 0), types or None))
                groups.append(group)
                start += size
        batch = layout(sequences, causal=False)
        if "spans" not in batch:
            seconds = [second for example in examples for second in example["seconds"]]
            ends = [len(ids) - 1 for ids, *_ in sequences]
            batch["global_attention_mask"] = between(batch["input_ids"].shape[1], seconds, ends)
        target = torch.tensor([example["target"] for example in examples])
        return {**batch, "groups": torch.tensor(groups), "target": target}

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`rows`."""
        return {"rows": len(batch["target"])}

    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
        """Negative log-likelihood of the right choice among a row's, in nats per row; `chance` is blind choice's accuracy."""
        import torch

        from smolrecipes.objectives.losses import log_softmax_within, sequence_sums
        from smolrecipes.objectives.tasks import answered

        groups, right = batch["groups"], batch["target"]
        count = len(right)
        logps = log_softmax_within(answered(model, batch, of="choice").logits.flatten(), groups, count)
        starts = torch.searchsorted(groups, torch.arange(count, device=groups.device))
        chosen = logps[starts + right]
        no_worse = sequence_sums((logps >= chosen[groups]).float(), groups, count)  # the right one itself among them
        sizes = sequence_sums(torch.ones_like(logps), groups, count)
        metrics = {"accuracy": Mean((no_worse == 1).float().sum(), "rows"), "chance": Mean((1 / sizes).sum(), "rows")}
        return Loss({"nll": Mean(-chosen.sum(), "rows")}, metrics)
