"""Tasks of EleutherAI's lm-evaluation-harness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.generate import untouched
from smolrecipes.kinds import Evaluator, Scores, Subject
from smolrecipes.limits import MinLen, Positive

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray

INSTALL = "lm_eval needs EleutherAI's harness: pip install 'smolrecipes[eval]'"


class LMEval(Evaluator, name="lm_eval"):
    """Runs tasks of the harness (arXiv:2405.14782) on the model as it is in memory.

    `include` is a small folder of task files (YAML) of one's own; without it the tasks are the harness's, whose data comes
    from the hub.
    """

    rows: ClassVar[tuple[str, ...]] = ()

    tasks: Annotated[tuple[str, ...], MinLen(1)] = option(kw_only=False, affects_weights=False)
    """Names of tasks."""
    include: str | None = option(default=None, affects_weights=False)
    """A folder with task files; only these are then known."""
    limit: Positive | None = option(default=None, affects_weights=False)
    """Rows of each task at the most."""
    batch_size: Positive = option(default=8, affects_weights=False)
    """Requests of a forward pass."""
    chat: bool | None = option(default=None, affects_weights=False)
    """Whether questions are a user's messages by the chat template; None: where the run learned conversations."""

    def check(self, subject: Subject) -> None:
        super().check(subject)
        if self.chat and not subject.tokenizer.chat_template:
            raise RecipeError("lm_eval.chat: the tokenizer has no chat template; leave it out")
        if self.include and not any(Path(self.include).glob("*.yaml")):
            raise RecipeError(f"lm_eval.include: there is no task file (.yaml) in {self.include}")

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """One number for each metric of each task: `hellaswag_acc`."""
        try:
            from lm_eval import simple_evaluate
            from lm_eval.models.huggingface import HFLM
            from lm_eval.tasks import TaskManager
        except ImportError as error:
            raise RecipeError(f"{INSTALL} ({error})") from None
        manager = TaskManager(include_path=self.include, include_defaults=not self.include)
        if missing := [task for task in self.tasks if task not in manager.all_tasks]:
            known = ", ".join(manager.all_tasks[:8])
            raise RecipeError(f"lm_eval.tasks: the harness knows no task '{missing[0]}' (it knows: {known})")
        model = HFLM(pretrained=subject.model, tokenizer=subject.tokenizer, batch_size=self.batch_size)
        with untouched(subject.model), _unseeded():
            found = simple_evaluate(
                model=model, tasks=list(self.tasks), task_manager=manager, limit=self.limit, bootstrap_iters=0,
                log_samples=False, apply_chat_template=_chats(subject) if self.chat is None else self.chat,
            )  # fmt: skip
        return Scores({name: [value] for name, value in _numbers(found["results"])})

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        return {name: float(values[0]) for name, values in columns.items() if len(values)}


@contextmanager
def _unseeded() -> Iterator[None]:
    """Afterwards the random numbers of Python and numpy go on as before: the harness seeds them."""
    import random

    import numpy as np

    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _chats(subject: Subject) -> bool:
    """Whether the model's run learned conversations."""
    learned = subject.recipe.objective.rows if subject.recipe else ()
    return bool(subject.tokenizer.chat_template) and "messages" in learned


def _numbers(results: dict[str, Any]) -> list[tuple[str, float]]:
    """`task_metric` and its value, without the harness's errors; a filter's name stays, except for none."""
    return [
        (f"{task}_{metric.removesuffix(',none')}", float(value))
        for task, metrics in results.items()
        for metric, value in metrics.items()
        if isinstance(value, (int, float)) and "stderr" not in metric and metric not in ("alias", "sample_len")
    ]
