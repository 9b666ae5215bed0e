"""What the model says, as it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from smolrecipes.component import option
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Callback
from smolrecipes.limits import Gt, MinLen

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments


class Samples(Callback):
    """Generates from prompts every so many steps and at the end; prints the answers and keeps them in samples.jsonl."""

    prompts: Annotated[tuple[str, ...], MinLen(1)] = option(kw_only=False, affects_weights=False)
    """Messages of a user when the tokenizer has a chat template, otherwise texts to continue."""
    every: Annotated[int, Gt(0)] = option(default=100, affects_weights=False)
    """Steps between samples."""
    decoding: Decoding = option(factory=Decoding, affects_weights=False)
    """How they are generated."""
    system: str | None = option(default=None, affects_weights=False)
    """A system message before each prompt."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if kwargs.get("processing_class") is None:
            raise RecipeError("Samples: the trainer has no tokenizer; give it one: Trainer(processing_class=tokenizer)")
        from smolrecipes.callbacks.journal import Journal, run_folder

        # Not options: outside the fields, where equality, printing and storing do not see them.
        self.__dict__["_last"] = None
        self.__dict__["_journal"] = Journal(run_folder(args) / "samples.jsonl")
        if state.is_world_process_zero:
            self.__dict__["_journal"].begin(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step % self.every == 0:
            self._sample(state, **kwargs)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.__dict__["_last"] != state.global_step:
            self._sample(state, **kwargs)

    def _sample(self, state: TrainerState, model: Any, processing_class: Any, **kwargs: Any) -> None:
        from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

        # Under ZeRO-3 a process holds a part of each weight, so all of them must take part.
        if not (state.is_world_process_zero or is_deepspeed_zero3_enabled()):
            return
        from smolrecipes.generate import generate

        answers = generate(model, processing_class, self.prompts, self.decoding, system=self.system)
        self.__dict__["_last"] = state.global_step
        if not state.is_world_process_zero:
            return
        for prompt, answer in zip(self.prompts, answers, strict=True):
            self.__dict__["_journal"].write({"step": state.global_step, "prompt": prompt, "answer": answer})
        _show(state.global_step, self.prompts, answers)


def _show(step: int, prompts: tuple[str, ...], answers: list[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(f"samples at step {step}", style="bold"))
    for prompt, answer in zip(prompts, answers, strict=True):
        console.print(Text.assemble((f"  {prompt} ", "dim"), ("→ ", "cyan"), answer), soft_wrap=True)
