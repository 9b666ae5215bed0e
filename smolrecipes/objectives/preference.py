"""What objectives on preference pairs share: how a pair becomes tokens, and its log-probabilities."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Mean, Objective

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

    from smolrecipes.kinds import Loss


@dataclass(frozen=True)
class PairLogps:
    """Summed log-probabilities of the answers, and their lengths in tokens; each of shape (pairs,), float32."""

    chosen: Tensor
    rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor
    chosen_nll: Tensor
    """Negative log-likelihood summed over the learned tokens of the chosen rows, prompts included if `learn_prompt`."""

    @property
    def chosen_mean(self) -> Tensor:
        """Log-probability per token of the chosen answers."""
        return self.chosen / self.chosen_tokens

    @property
    def rejected_mean(self) -> Tensor:
        """Log-probability per token of the rejected answers."""
        return self.rejected / self.rejected_tokens


class PairwiseObjective(Objective):
    """An objective on pairs of answers to one prompt. Subclasses write `loss`, from `self.logps(model, batch)`."""

    rows: ClassVar[tuple[str, ...]] = ("preference",)
    learn_prompt: ClassVar[bool] = False

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Ids of the prompt and both answers; answers are cut at `max_length`, None when nothing of one is left."""
        from smolrecipes.objectives.chat import continuation

        for side in ("chosen", "rejected"):
            _check_answer(side, row[side])
        prompt, chosen = continuation(row["prompt"], row["chosen"], tokenizer, row["tools"])
        before, rejected = continuation(row["prompt"], row["rejected"], tokenizer, row["tools"])
        if before != prompt:
            raise RecipeError(
                "the chat template writes the prompt differently before chosen than before rejected; "
                "use another template, as in tokenizer.chat_template=chatml"
            )
        room = max_length - len(prompt)
        if room < 1 or not prompt or not chosen or not rejected:
            return None
        cut = max(0, len(chosen) - room) + max(0, len(rejected) - room)
        return {"prompt": prompt, "chosen": chosen[:room], "rejected": rejected[:room], "cut": cut}

    def collate(self, examples: list[dict[str, Any]], pad_id: int) -> dict[str, Tensor]:
        """First all chosen, then all rejected rows: `input_ids`, `attention_mask`, `labels`, `answer`, (2 pairs, positions).

        `answer` marks the labels that belong to the answers. Numbers per pair, such as DPO's `reference_chosen`, join.
        """
        import torch

        from smolrecipes.objectives.batch import stack
        from smolrecipes.objectives.losses import IGNORE

        rows, marks = [], []
        for side in ("chosen", "rejected"):
            for example in examples:
                prompt, answer = list(example["prompt"]), list(example[side])
                learned = self.learn_prompt and side == "chosen"
                rows.append((prompt + answer, (prompt if learned else [IGNORE] * len(prompt)) + answer))
                marks.append((prompt + answer, [IGNORE] * len(prompt) + [1] * len(answer)))
        batch = stack(rows, pad_id)
        batch["answer"] = stack(marks, pad_id)["labels"] == 1
        for name in examples[0]:
            if name.startswith("reference_"):
                batch[name] = torch.tensor([example[name] for example in examples])
        return batch

    def counts(self, batch: dict[str, Tensor]) -> dict[str, int]:
        """`pairs`, and `tokens`: the learned ones of the chosen rows."""
        from smolrecipes.objectives.losses import IGNORE

        pairs = len(batch["labels"]) // 2
        return {"pairs": pairs, "tokens": int((batch["labels"][:pairs] != IGNORE).sum())}

    def logps(self, model: Module, batch: dict[str, Tensor]) -> PairLogps:
        """The log-probabilities of a batch of pairs, from one forward pass."""
        from smolrecipes.objectives.forward import token_logps
        from smolrecipes.objectives.losses import IGNORE, sequence_sums

        logps, rows = token_logps(model, batch)
        pairs = len(batch["labels"]) // 2
        answer = batch["answer"][batch["labels"] != IGNORE]
        sums = sequence_sums(logps * answer, rows, 2 * pairs)
        lengths = batch["answer"].sum(1)
        return PairLogps(sums[:pairs], sums[pairs:], lengths[:pairs], lengths[pairs:], -(logps * (rows < pairs)).sum())

    @abstractmethod
    def loss(self, model: Module, batch: dict[str, Tensor]) -> Loss:
        """The loss on one micro-batch, as sums over `pairs` or `tokens`."""


def _check_answer(side: str, answer: list[dict[str, Any]]) -> None:
    """That an answer is one message of the assistant: all of its tokens count, and only the assistant's may."""
    roles = [message["role"] for message in answer]
    if roles != ["assistant"]:
        raise RecipeError(
            f"{side} should be one message of the assistant after the prompt, and it is {', '.join(roles) or 'empty'}; "
            "move the turns that both answers share into prompt, or leave the row out"
        )


def rewards(chosen: Tensor, rejected: Tensor) -> dict[str, Mean]:
    """What is logged of two rewards, (pairs,) each: how often the chosen one is higher, and by how much."""
    chosen, rejected = chosen.detach(), rejected.detach()
    return {
        "reward_accuracy": Mean((chosen > rejected).float().sum(), "pairs"),
        "reward_margin": Mean((chosen - rejected).sum(), "pairs"),
    }
