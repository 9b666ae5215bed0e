"""GRPO: sample answers, reward them, and make the better ones of a group likelier."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.errors import RecipeError, nearest
from smolrecipes.limits import Ge, Gt
from smolrecipes.objectives.trl import TRLObjective

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

    from smolrecipes.kinds import Parts


class GRPO(TRLObjective, name="grpo"):
    """Group relative policy optimisation (arXiv:2402.03300), by TRL's GRPOTrainer, on questions and their answers."""

    rows: ClassVar[tuple[str, ...]] = ("pair",)
    prepare_reads: ClassVar[tuple[str, ...]] = ("max_new_tokens",)

    reward: str = "exact_match"
    """exact_match, numeric_match (the last number), or package.module:function with TRL's signature: called with the
    lists `prompts`, `completions`, `target` and more by name, it returns a number for each completion."""
    generations: Annotated[int, Ge(2)] = 4
    """Answers sampled for each question; they are compared with each other."""
    max_new_tokens: Annotated[int, Gt(0)] = 64
    """Tokens of an answer at most."""
    temperature: Annotated[float, Gt(0)] = 1.0
    """Logits are divided by it when answers are sampled."""
    beta: Annotated[float, Ge(0)] = 0.0
    """Weight of the KL term to the model before training; 0 needs no reference."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reward not in REWARDS and not re.fullmatch(r"[\w.]+:\w+", self.reward):
            hint = nearest(self.reward, REWARDS) or f" (there are {' and '.join(REWARDS)})"
            raise RecipeError(f"GRPO.reward: '{self.reward}' is neither built in nor 'package.module:function'{hint}")

    def identity(self) -> Any:
        """The options, and the code of a reward function of one's own."""
        own = {} if self.reward in REWARDS else {"code": _code(self.function())}
        return {**super().identity(), **own}

    def function(self) -> Callable[..., Sequence[float]]:
        """The reward function."""
        if self.reward in REWARDS:
            return REWARDS[self.reward]
        module, _, name = self.reward.partition(":")
        try:
            found: Callable[..., Sequence[float]] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise RecipeError(f"GRPO.reward: '{self.reward}' cannot be imported: {error}") from error
        return found

    def prepare(
        self, row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> dict[str, Any] | None:
        """The question's ids and both texts; None when `max_length` leaves no room for the question and an answer."""
        from smolrecipes.conversation.cut import harmless
        from smolrecipes.conversation.tokens import prompt_ids

        if harmless(row["source"], tokenizer) != row["source"]:  # TRL writes and reads it itself, uncut
            raise RecipeError(
                f"the question {row['source'][:60]!r} spells a control token, which TRL would read as one"
            )
        if tokenizer.chat_template:
            ids = prompt_ids(question(row["source"]), tokenizer)
        else:
            ids = tokenizer(row["source"], add_special_tokens=False, verbose=False)["input_ids"]
        if not ids or len(ids) + self.max_new_tokens > max_length:
            return None
        return {"input_ids": ids, "source": row["source"], "target": row["target"]}

    def arguments(self, options: dict[str, Any]) -> TrainingArguments:
        """TRL's GRPOConfig."""
        from trl import GRPOConfig

        from smolrecipes.objectives.trl import trl_arguments

        # the reward reads the target; batch sizes that TRL accepts, until `trainer` knows those of the recipe
        plain = {"remove_unused_columns": False, "per_device_eval_batch_size": self.generations}
        own = {"max_completion_length": self.max_new_tokens, "temperature": self.temperature, "beta": self.beta}
        groups = {"num_generations": self.generations, "gradient_accumulation_steps": self.generations}
        return trl_arguments(GRPOConfig, {**options, **plain}, **own, **groups)

    def trainer(self, parts: Parts) -> Trainer:
        """TRL's GRPOTrainer; questions are asked with the chat template when there is one.

        TRL counts answers where the recipe counts questions: accumulation takes the answers to each.
        """
        from dataclasses import replace

        from trl import GRPOTrainer

        from smolrecipes.objectives.trl import build, whole_batches

        arguments = whole_batches(parts)
        arguments.gradient_accumulation_steps *= self.generations
        arguments.steps_per_generation = arguments.gradient_accumulation_steps
        step = arguments.per_device_train_batch_size * arguments.world_size
        arguments.generation_batch_size = step * arguments.steps_per_generation
        held_out = arguments.per_device_eval_batch_size
        arguments.per_device_eval_batch_size = -(-held_out // self.generations) * self.generations
        if len(parts.train) < parts.batch:
            raise RecipeError(
                f"training.global_batch_size: GRPO takes whole batches of questions, and {len(parts.train)} are fewer "
                f"than {parts.batch}; lower it, or give more data"
            )
        chat = bool(parts.tokenizer.chat_template)

        def asked(row: dict[str, Any]) -> dict[str, Any]:
            return {"prompt": question(row["source"]) if chat else row["source"], "target": row["target"]}

        answers = replace(parts, batch=self.generations * parts.batch)
        return build(GRPOTrainer, answers, asked, reward_funcs=[self.function()])


def question(text: str) -> list[dict[str, str]]:
    """A conversation that asks it."""
    return [{"role": "user", "content": text}]


def exact_match(completions: list[Any], target: list[str], **rest: Any) -> list[float]:
    """1 for an answer that is the target, but for white space around it; else 0."""
    return [float(_said(answer) == wanted.strip()) for answer, wanted in zip(completions, target, strict=True)]


def numeric_match(completions: list[Any], target: list[str], **rest: Any) -> list[float]:
    """1 for an answer whose last number is the target's last number; else 0."""
    found = [_last_number(_said(answer)) for answer in completions]
    wanted = [_last_number(text) for text in target]
    return [float(f is not None and f == w) for f, w in zip(found, wanted, strict=True)]


REWARDS: dict[str, Callable[..., Sequence[float]]] = {"exact_match": exact_match, "numeric_match": numeric_match}


def _said(completion: Any) -> str:
    text = completion if isinstance(completion, str) else completion[-1]["content"]
    return str(text).strip()


def _last_number(text: str) -> float | None:
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return float(found[-1].replace(",", "")) if found else None


def _code(function: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # built into Python, or made by exec: there is no source
        raise RecipeError(f"GRPO.reward: {function!r} has no Python source; write a function in a module") from None
    import hashlib

    return hashlib.sha256(source.encode()).hexdigest()[:16]
