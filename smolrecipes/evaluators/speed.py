"""How fast a model writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Evaluator, Scores, Subject
from smolrecipes.limits import Ge, Positive

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


class Speed(Evaluator, name="speed"):
    """Milliseconds until the first token of an answer, and tokens a second after it, one prompt at a time."""

    rows: ClassVar[tuple[str, ...]] = ()

    prompt_tokens: Positive = option(default=128, affects_weights=False)
    """Tokens that are read."""
    new_tokens: Annotated[int, Ge(2)] = option(default=64, affects_weights=False)
    """Tokens that are written."""
    repeats: Positive = option(default=5, affects_weights=False)
    """Times; the first, which warms up, is not counted."""

    def check(self, subject: Subject) -> None:
        from smolrecipes.architectures.sizes import readable

        super().check(subject)
        if not subject.model.can_generate():
            raise RecipeError("the model writes no text, so nobody can tell how fast")
        limit, asked = readable(subject.model.config), self.prompt_tokens + self.new_tokens
        if limit and asked > limit:
            raise RecipeError(
                f"speed: {self.prompt_tokens} tokens read and {self.new_tokens} written are more than the {limit:,} that the "
                "model reads; give speed.prompt_tokens and speed.new_tokens"
            )

    def score(self, subject: Subject, rows: Dataset) -> Scores:
        """`first_ms` and `tokens_per_second` of each repeat."""
        found = [self._once(subject) for _ in range(self.repeats + 1)][1:]
        return Scores({"first_ms": [one for one, _ in found], "tokens_per_second": [other for _, other in found]})

    def measure(self, columns: dict[str, NDArray[Any]]) -> dict[str, float]:
        """Medians."""
        import numpy as np

        return {name: float(np.median(values)) for name, values in columns.items()}

    def _once(self, subject: Subject) -> tuple[float, float]:
        import torch
        from transformers import GenerationConfig

        from smolrecipes.generate import untouched

        model, times = subject.model, [time.perf_counter()]
        ids = torch.full((1, self.prompt_tokens), 5 % model.config.vocab_size, device=model.device)

        def tick(written: Any, scores: Any, **_: Any) -> Any:
            if written.is_cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter())
            return torch.zeros(written.shape[0], dtype=torch.bool, device=written.device)

        how = GenerationConfig(max_new_tokens=self.new_tokens, do_sample=False, eos_token_id=None, pad_token_id=0)
        with untouched(model):
            times[0] = time.perf_counter()
            model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=how, stopping_criteria=[tick])
        return 1000 * (times[1] - times[0]), (len(times) - 2) / max(1e-9, times[-1] - times[1])
