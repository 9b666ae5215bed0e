"""Evaluators while a model is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.console import say
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Callback, Evaluator, Subject
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments


class Evaluate(Callback):
    """Runs an evaluator every so many steps, and keeps its numbers in evaluations.jsonl."""

    evaluator: Evaluator = option(kw_only=False, affects_weights=False)
    """What is measured, on data of its own."""
    every: Positive = option(default=500, affects_weights=False)
    """Steps between two evaluations."""
    decoding: Decoding = option(factory=Decoding, affects_weights=False)
    """How answers are written, where the evaluator does not say it."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        from smolrecipes.callbacks.journal import Journal, run_folder
        from smolrecipes.evaluation import rows_of

        if self.evaluator.rows and self.evaluator.data is None:
            raise RecipeError(f"Evaluate: {self.evaluator.name} needs data of its own while a model is trained")
        self.evaluator.check(self._subject(kwargs))
        self.__dict__["_rows"] = rows_of(self.evaluator, None)
        self.__dict__["_journal"] = Journal(run_folder(args) / "evaluations.jsonl")  # no option: outside the fields
        if state.is_world_process_zero:
            self.__dict__["_journal"].begin(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

        # Under ZeRO-3 a process holds a part of each weight, so all of them must take part.
        if state.global_step % self.every or not (state.is_world_process_zero or is_deepspeed_zero3_enabled()):
            return
        from smolrecipes.evaluation import evaluate

        found = evaluate(self.evaluator, self._subject(kwargs), self.__dict__["_rows"])
        if not state.is_world_process_zero:
            return
        entry = {"step": state.global_step, "evaluator": self.evaluator.name, **found.numbers}
        self.__dict__["_journal"].write(entry)
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.numbers.items())
        say(f"  step {state.global_step:,}  {self.evaluator.name}: {told}")

    def _subject(self, given: dict[str, Any]) -> Subject:
        return Subject(given["model"], given["processing_class"], self.decoding)
