"""What would go wrong, and what looks healthy and is wrong, before anything is trained."""

from __future__ import annotations

from typing import Any

from smolrecipes.check.finding import Finding

__all__ = ["Finding", "check"]


def check(what: Any) -> list[Finding]:
    """All findings about a recipe, or about any transformers or TRL Trainer; nothing is trained.

    A recipe's model is built too, as it is before the recipes that it builds on are trained.
    """
    from smolrecipes.check import check as checks

    return checks.findings(what)
