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

    from smolrecipes.kinds import Layout, Loss


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
    metrics: ClassVar[tuple[str, ...]] = ("reward_accuracy", "rewards/accuracies", "accuracy")  # ours, and TRL's
    learn_prompt: ClassVar[bool] = False

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """Ids of the prompt and both answers; answers are cut at `max_length`, None when nothing of one is left."""
        from smolrecipes.conversation.cut import spelling
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
        counts = {"cut": cut, "spelt": spelling([*row["prompt"], *row["chosen"], *row["rejected"]], tokenizer)}
        return {"prompt": prompt, "chosen": chosen[:room], "rejected": rejected[:room], **counts}

    def collate(self, examples: list[dict[str, Any]], layout: Layout) -> dict[str, Any]:
        """First all chosen, then all rejected sequences, which share their prompts.

        Beside what `layout` makes: `answer`, (labelled,), whether a label belongs to an answer; `answer_tokens`,
        (2 pairs,). Numbers per pair, such as DPO's `reference_chosen`, join.
        """
        import torch

        from smolrecipes.objectives.labels import IGNORE
        from smolrecipes.objectives.layout import Sequence

        sequences, answer, tokens = [], [], []
        for side in ("chosen", "rejected"):
            for index, example in enumerate(examples):
                prompt, said = list(example["prompt"]), list(example[side])
                learned = self.learn_prompt and side == "chosen"
                labels = (prompt if learned else [IGNORE] * len(prompt)) + said
                shares = (0, 0) if side == "chosen" else (index, len(prompt))
                sequences.append(Sequence(prompt + said, labels, shares))
                answer += [False] * (learned * (len(prompt) - 1)) + [True] * len(said)
                tokens.append(len(said))
        batch = {**layout(sequences), "answer": torch.tensor(answer), "answer_tokens": torch.tensor(tokens)}
        for name in examples[0]:
            if name.startswith("reference_"):
                batch[name] = torch.tensor([example[name] for example in examples])
        return batch

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """`pairs`, and `tokens`: the learned ones of the chosen sequences."""
        pairs = batch["sequences"] // 2
        return {"pairs": pairs, "tokens": int((batch["rows"] < pairs).sum())}

    def logps(self, model: Module, batch: dict[str, Any]) -> PairLogps:
        """The log-probabilities of a batch of pairs, from one forward pass."""
        from smolrecipes.objectives.losses import sequence_sums

        logps, rows = self.token_logps(model, batch)
        pairs, lengths = batch["sequences"] // 2, batch["answer_tokens"]
        sums = sequence_sums(logps * batch["answer"], rows, 2 * pairs)
        return PairLogps(sums[:pairs], sums[pairs:], lengths[:pairs], lengths[pairs:], -(logps * (rows < pairs)).sum())

    @abstractmethod
    def loss(self, model: Module, batch: dict[str, Any]) -> Loss:
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
