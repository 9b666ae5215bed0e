"""A parity certificate: the figures of a comparison, and whether it holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ALLOWED = {
    "float32": 0.001, "f32": 0.001, "float16": 0.02, "f16": 0.02, "bfloat16": 0.15, "bf16": 0.15, "q8_0": 0.15,
    "q6_k": 0.3, "q5_1": 0.5, "q5_k_m": 0.5, "q4_0": 1.0, "q4_k_m": 1.0,
}  # fmt: skip
"""Nats that the log-probabilities of likely tokens may differ on average, by what weights are held in: several times what
rounding costs small models."""
EXACT = ("float32", "f32")
"""Forms that round nothing, so that every token has to be the same."""
LEAST = 0.9
"""The share of tokens that have to be the same in the other forms."""


def tie(form: str) -> float:
    """Nats by which a token may be less likely than the trained model's own, and count as tied: where none may differ, a few
    times the mean, since single log-probabilities are further apart than that."""
    return ALLOWED[form] * (3 if form in EXACT else 1)


@dataclass(frozen=True)
class Certificate:
    """How a deliverable compares with the model that was trained."""

    deliverable: str
    form: str
    """What its weights are held in."""
    same_ids: int
    texts: int
    same_renderings: int
    conversations: int
    refused: int
    """Conversations that its template refuses, which are not compared."""
    mean_gap: float
    """Of the log-probabilities, in nats."""
    largest_gap: float
    positions: int
    """Where log-probabilities were compared."""
    same_tokens: int
    """Where both write the same token, greedily; of a model that writes none, where both find the same one the likeliest."""
    tied_tokens: int
    """Where they do not, and the trained model finds its own likelier by no more than `tie`."""
    tokens: int
    first: str = ""
    """The first text or conversation that differs."""
    note: str = ""
    """What it leaves out."""

    @property
    def allowed(self) -> float:
        """The mean gap that this form of weights may have, in nats."""
        return ALLOWED[self.form]

    @property
    def problem(self) -> str:
        """Why it is not the model that was trained, or nothing."""
        if self.same_ids < self.texts:
            return f"it reads {self.texts - self.same_ids} of {self.texts} texts as other tokens, such as {self.first}"
        if self.same_renderings < self.conversations:
            return f"its template writes {self.conversations - self.same_renderings} of {self.conversations} conversations differently, such as {self.first}"
        if not self.positions:
            return f"it told no log-probability that could be compared, at none of its {self.tokens} tokens"
        if not self.mean_gap <= self.allowed:
            return f"its log-probabilities are {self.mean_gap:.3g} nats away on average, and {self.allowed:g} is what rounding may cost"
        alike, least = self.same_tokens + self.tied_tokens, 1.0 if self.form in EXACT else LEAST
        if alike < least * self.tokens:
            return f"it writes {self.tokens - alike} of {self.tokens} tokens otherwise, and {1 - least:.0%} is what rounding may cost"
        return ""

    def figures(self) -> dict[str, Any]:
        """All that it says, as JSON holds it."""
        return asdict(self) | {"allowed": self.allowed, "holds": not self.problem}

    def sentence(self) -> str:
        """Its figures for people."""
        ties = f", {self.tied_tokens} nearly as likely" if self.tied_tokens else ""
        return (
            f"{self.deliverable}: {self.same_ids}/{self.texts} texts as the same tokens, {self._rendered()}, log-probabilities "
            f"{self.mean_gap:.2g} nats apart on average ({self.largest_gap:.2g} at most) at {self.positions} positions, "
            f"{self.same_tokens}/{self.tokens} same tokens{ties}" + (f"; {self.note}" if self.note else "")
        )

    def _rendered(self) -> str:
        if not self.conversations + self.refused:
            return "no template"
        if not self.conversations:
            return f"a template that refuses all {self.refused} conversations"
        but = f" ({self.refused} refused by the template)" if self.refused else ""
        return f"{self.same_renderings}/{self.conversations} conversations rendered alike{but}"
