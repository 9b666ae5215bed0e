"""Whether a deliverable is the model that was trained: token ids, template, log-probabilities, what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolrecipes.exporters.llama_cpp import LlamaCpp

TEXTS = (
    "The cat sat on the mat, didn't it? It's 3.14 o'clock: we'll see.",
    "Perché l'acqua è così fredda? Non c'è più il sole, e là piove.",
    "Größe, Straße, Übermut: 1.234,56 € für 27 Äpfel!",
    "Où est l'été ? Ça coûte 12 € à Noël, n'est-ce pas ?",
    "¿Cuántos años tienes, niño? ¡Mañana será otro día!",
    "Zażółć gęślą jaźń; chrząszcz brzmi w trzcinie.",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "نص عربي قصير، مع أرقام ١٢٣ و456.",
    "טקסט קצר בעברית, עם נקודות.",
    "यह हिन्दी का एक वाक्य है।",
    "今天天气很好，我们去公园吧。1234年",
    "これは日本語の文です。カタカナとひらがな。",
    "한국어 문장입니다. 띄어쓰기도 있어요.",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "def f(x):\n\tif x >= 10_000:\n        return {'a': [1, 2], \"b\": None}  # why?\n\n\n",
    "  two leading spaces,   three inside, and trailing ones  ",
    "\r\n\tTabs\t\tand\r\nlines \n \n\n \nWITH  CAPITALS'LL and 'RE ''' \"\"\" ``` --- === ...",
    "emoji 👍🏽 family 👨‍👩‍👧‍👦 flag 🇮🇹 accents e\u0301 a\u0300 zero\u200bwidth \u00a0nbsp",
    "3333333 12 007 1e-5 0x1F 192.168.0.1 a1b2c3 x=-1/2",
    "",
)
"""What token ids are compared on: languages, scripts, code, white space, numbers, signs."""
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tomorrow's weather, in a city's language: è, ß, \"…\"",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CONVERSATIONS: tuple[tuple[list[dict[str, Any]], list[Any] | None], ...] = (
    ([{"role": "user", "content": "Hi!"}], None),
    ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": 'Perché? <b>&\n"x"'}], None),
    (
        [
            {"role": "system", "content": "You are kind."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two"},
            {"role": "user", "content": "Three"},
        ],
        None,
    ),
    ([{"role": "user", "content": "What is the weather in Turin?"}], [TOOL]),
)
"""What rendering is compared on; those that the template itself refuses are left out."""
NEW = 24
"""Tokens that are written after each prompt."""
LIKELY = 0.01
"""Log-probabilities are compared of tokens that the deliverable finds at least as likely."""


@dataclass(frozen=True)
class Certificate:
    """How a deliverable compares with the model that was trained."""

    deliverable: str
    same_ids: int
    texts: int
    same_renderings: int
    conversations: int
    mean_gap: float
    """Of the log-probabilities, in nats."""
    largest_gap: float
    same_tokens: int
    """Where both find the same token the likeliest."""
    tokens: int
    allowed: float
    """The mean gap that this form of weights may have."""
    first: str = ""
    """The first text or conversation that differs."""

    @property
    def problem(self) -> str:
        """Why it is not the model that was trained, or nothing."""
        if self.same_ids < self.texts:
            return f"it reads {self.texts - self.same_ids} of {self.texts} texts as other tokens, such as {self.first}"
        if self.same_renderings < self.conversations:
            return f"its template writes {self.conversations - self.same_renderings} of {self.conversations} conversations differently, such as {self.first}"
        if not self.mean_gap <= self.allowed:
            return f"its log-probabilities are {self.mean_gap:.3g} nats away on average, and {self.allowed:g} is what rounding may cost"
        return ""

    def json(self) -> str:
        """Its figures."""
        return json.dumps(asdict(self) | {"holds": not self.problem}, indent=2, ensure_ascii=False)

    def sentence(self) -> str:
        """Its figures for people."""
        wrote = f"{self.same_renderings}/{self.conversations} conversations" if self.conversations else "no template"
        return (
            f"{self.deliverable}: {self.same_ids}/{self.texts} texts as the same tokens, {wrote} rendered alike, log-probabilities "
            f"{self.mean_gap:.2g} nats apart on average ({self.largest_gap:.2g} at most), {self.same_tokens}/{self.tokens} same likeliest tokens"
        )


def with_llama_cpp(
    model: Any, tokenizer: Any, other: LlamaCpp, prompts: Sequence[list[int]], deliverable: str, allowed: float
) -> Certificate:
    """The trained model beside a file that runs in llama.cpp: scored on what llama.cpp writes."""
    from smolrecipes.exporters.llama_cpp import aligned

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
            gaps += (mine - theirs).abs()[mine.exp() >= LIKELY].flatten().tolist()
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
