"""Whether a deliverable is the model that was trained: token ids, template, log-probabilities, what it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.exporters.certificate import Certificate
from smolrecipes.exporters.samples import CONVERSATIONS, TEXTS

if TYPE_CHECKING:
    from smolrecipes.llama_cpp import LlamaCpp

NEW = 24
"""Tokens that are written after each prompt."""
LIKELY = 0.01
"""Log-probabilities are compared of tokens that the deliverable finds at least as likely."""


def with_llama_cpp(
    model: Any, tokenizer: Any, other: LlamaCpp, prompts: Sequence[list[int]], deliverable: str, allowed: float
) -> Certificate:
    """The trained model beside a file that runs in llama.cpp: scored on what llama.cpp writes."""
    from smolrecipes.llama_cpp import aligned

    gaps: list[float] = []
    same = count = 0
    for prompt in prompts:
        path, told = other.written(prompt, NEW)
        steps = aligned(path, told, tokenizer.decode)
        own = _logps(model, [*prompt, *path])[len(prompt) - 1 :]
        same += sum(int(row.argmax()) == token for row, token in zip(own, path))
        count += len(path)
        gaps += [
            abs(float(row[token]) - logp)
            for row, known in zip(own, steps)
            for token, logp in known.items()
            if logp >= _log(LIKELY)
        ]
    ids = _ids(tokenizer, other.ids, lambda text: other.ids(text, special=True))
    rendered = _renderings(tokenizer, other.rendered)
    return _certificate(deliverable, ids, rendered, gaps, same, count, allowed)


def with_transformers(
    model: Any, tokenizer: Any, other: Any, others: Any, prompts: Sequence[list[int]], deliverable: str, allowed: float
) -> Certificate:
    """The trained model beside one that transformers loads: every output of every head, at every position."""
    from smolrecipes.exporters.outputs import outputs

    gaps: list[float] = []
    same = count = 0
    for prompt in prompts:
        for mine, theirs in zip(outputs(model, prompt), outputs(other, prompt)):
            likely = mine.exp() >= (LIKELY if mine.shape[-1] > 1 else 0)  # a single number is no probability
            gaps += (mine - theirs).abs()[likely].flatten().tolist()
            same += int((mine.argmax(-1) == theirs.argmax(-1)).sum())
            count += mine.argmax(-1).numel()
    ids = _ids(tokenizer, lambda text: _plain_ids(others, text), lambda text: _special_ids(others, text))
    rendered = _renderings(tokenizer, lambda messages, tools: _render(others, messages, tools))
    return _certificate(deliverable, ids, rendered, gaps, same, count, allowed)


def prompts(tokenizer: Any, questions: Sequence[str], longest: int) -> list[list[int]]:
    """Token ids to compare log-probabilities on: questions by the template, or texts."""
    from smolrecipes.conversation.tokens import opening, prompt_ids

    texts = [text for text in (*questions, *TEXTS[:8]) if text]
    asked = [
        prompt_ids([{"role": "user", "content": text}], tokenizer)
        if tokenizer.chat_template
        else opening(text, tokenizer)
        for text in texts
    ]
    return [ids[: longest - NEW] for ids in asked]


def _certificate(
    name: str,
    ids: tuple[int, int, str],
    rendered: tuple[int, int, str],
    gaps: list[float],
    same: int,
    count: int,
    allowed: float,
) -> Certificate:
    mean, largest = (sum(gaps) / len(gaps), max(gaps)) if gaps else (float("nan"), float("nan"))
    return Certificate(name, *ids[:2], *rendered[:2], mean, largest, same, count, allowed, ids[2] or rendered[2])


def _ids(
    tokenizer: Any, plain: Callable[[str], list[int]], special: Callable[[str], list[int]]
) -> tuple[int, int, str]:
    """Of texts, and of conversations with their control tokens, how many are the same tokens, of how many; and which is not first."""
    told = [_render(tokenizer, *each) for each in _writable(tokenizer)]
    pairs = [(text, _plain_ids(tokenizer, text), plain(text)) for text in TEXTS]
    pairs += [(text, _special_ids(tokenizer, text), special(text)) for text in told]
    wrong = [f"{text[:60]!r}: {theirs[:8]}…, not {mine[:8]}…" for text, mine, theirs in pairs if mine != theirs]
    return len(pairs) - len(wrong), len(pairs), wrong[0] if wrong else ""


def _renderings(tokenizer: Any, rendered: Callable[[list[Any], Any], str]) -> tuple[int, int, str]:
    asked = _writable(tokenizer)
    pairs = [(_render(tokenizer, *each), rendered(*each)) for each in asked]
    wrong = [f"{theirs[:200]!r}, not {mine[:200]!r}" for mine, theirs in pairs if mine != theirs]
    return len(pairs) - len(wrong), len(pairs), wrong[0] if wrong else ""


def _writable(tokenizer: Any) -> list[tuple[list[Any], Any]]:
    """The conversations that the template takes."""
    from smolrecipes.errors import RecipeError

    found = []
    for messages, tools in CONVERSATIONS if tokenizer.chat_template else ():
        try:
            _render(tokenizer, messages, tools)
        except RecipeError:  # gemma's takes no tools
            continue
        found.append((messages, tools))
    return found


def _render(tokenizer: Any, messages: list[Any], tools: Any) -> str:
    from smolrecipes.conversation.render import render

    return render(messages, tokenizer, tools, prompt=True)


def _plain_ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text)["input_ids"])


def _special_ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"])


def _logps(model: Any, ids: list[int]) -> Any:
    from smolrecipes.exporters.outputs import outputs

    return outputs(model, ids)[0][0]


def _log(value: float) -> float:
    import math

    return math.log(value)
