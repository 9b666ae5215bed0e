"""A parity certificate: the figures of a comparison, and whether it holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


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
