"""Whether a deliverable is the model that was trained: token ids, template, log-probabilities, what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Any

from smolrecipes.exporters.certificate import Certificate, tie
from smolrecipes.exporters.reading import Reads, Words, same_ids, same_renderings
from smolrecipes.exporters.samples import CONVERSATIONS, TEXTS

if TYPE_CHECKING:
    from torch import Tensor

    from smolrecipes.llama_cpp import LlamaCpp
    from smolrecipes.run import Run

LONGEST = 512
"""Tokens of a prompt and its answer that are compared at the most."""
NEW = 24
"""Tokens that are written after each prompt."""
LIKELY = 0.01
"""Log-probabilities are compared of the likeliest token, and of those at least as likely."""


@dataclass
class Steps:
    """What two models make of the same places."""

    tie: float
    """Nats by which a token may be less likely than the trained model's own, and count as tied."""
    gaps: list[float] = field(default_factory=list)
    """Between log-probabilities, in nats."""
    positions: int = 0
    same: int = 0
    tied: int = 0
    tokens: int = 0

    def choose(self, own: Tensor, chosen: Tensor) -> None:
        """own: the trained model's log-probabilities, (..., vocabulary); chosen: the other's tokens, (...)."""
        best = own.max(-1).values - own.gather(-1, chosen[..., None]).squeeze(-1) <= self.tie
        same = own.argmax(-1) == chosen
        self.same += int(same.sum())
        self.tied += int((best & ~same).sum())
        self.tokens += chosen.numel()


def with_llama_cpp(
    model: Any, tokenizer: Any, other: LlamaCpp, prompts: Sequence[list[int]], deliverable: str, form: str
) -> Certificate:
    """The trained model beside a file that runs in llama.cpp: scored on what llama.cpp writes."""
    import torch

    from smolrecipes.exporters.outputs import outputs
    from smolrecipes.llama_cpp import aligned

    steps = Steps(tie(form))
    for prompt in prompts:
        path, told = other.written(prompt, _new(model, prompt))
        own = outputs(model, [*prompt, *path])[0][0][len(prompt) - 1 :][: len(path)]
        steps.choose(own, torch.tensor(path, dtype=torch.long))
        for row, known in zip(own, aligned(path, told)):
            likely = min(log(LIKELY), max(known.values(), default=0))
            steps.gaps += [abs(float(row[token]) - logp) for token, logp in known.items() if logp >= likely]
            steps.positions += bool(known)
    return _certificate(deliverable, form, Words(tokenizer), other, steps)


def with_transformers(
    model: Any, tokenizer: Any, other: Any, others: Any, prompts: Sequence[list[int]], deliverable: str, form: str
) -> Certificate:
    """The trained model beside one that transformers loads: every output of every head at every position, and what both write."""
    from smolrecipes.architectures.heads import head_of
    from smolrecipes.ask.ask import WRITERS
    from smolrecipes.exporters.outputs import both_write, outputs

    steps, writes = Steps(tie(form)), head_of(model.config, type(model).__name__) in WRITERS
    for prompt in prompts:
        for mine, theirs in zip(outputs(model, prompt), outputs(other, prompt)):
            likely = mine.exp() >= (LIKELY if mine.shape[-1] > 1 else 0)  # a single number is no probability
            likely |= mine == mine.max(-1, keepdim=True).values
            steps.gaps += (mine - theirs).abs()[likely].flatten().tolist()
            steps.positions += theirs.argmax(-1).numel()
            if not writes:
                steps.choose(mine, theirs.argmax(-1))
        if writes:
            steps.choose(*both_write(model, other, tokenizer, prompt, _new(model, prompt)))
    return _certificate(deliverable, form, Words(tokenizer), Words(others), steps)


def prompts(run: Run, model: Any, tokenizer: Any) -> list[list[int]]:
    """Token ids to compare models on, with room for an answer: what the run asked at its end, by the template, or texts."""
    from smolrecipes.conversation.tokens import opening, prompt_ids

    questions = [str(asked[0]) for asked in run.results.get("samples", [])]
    asked = [
        prompt_ids([{"role": "user", "content": text}], tokenizer)
        if tokenizer.chat_template
        else opening(text, tokenizer)
        for text in (*questions, *TEXTS[:8])
        if text
    ]
    longest = _longest(model)
    return [ids[: longest - min(NEW, longest // 2)] for ids in asked]


def _longest(model: Any) -> int:
    """Tokens of a prompt and its answer that the model reads and that are compared."""
    from smolrecipes.architectures.sizes import readable

    return min(LONGEST, readable(model.config) or LONGEST)


def _new(model: Any, prompt: list[int]) -> int:
    """Tokens that are written after a prompt."""
    return min(NEW, _longest(model) - len(prompt))


def _certificate(deliverable: str, form: str, own: Words, other: Reads, steps: Steps) -> Certificate:
    ids, told, gaps = same_ids(own, other), same_renderings(own, other), steps.gaps or [float("nan")]
    return Certificate(
        deliverable=deliverable,
        form=form,
        same_ids=ids.same,
        texts=ids.of,
        same_renderings=told.same,
        conversations=told.of,
        refused=len(CONVERSATIONS) - told.of if own.tokenizer.chat_template else 0,
        mean_gap=sum(gaps) / len(gaps),
        largest_gap=max(gaps),
        positions=steps.positions,
        same_tokens=steps.same,
        tied_tokens=steps.tied,
        tokens=steps.tokens,
        first=ids.first or told.first,
    )
