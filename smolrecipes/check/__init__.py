"""What would go wrong, and what looks healthy and is wrong, before anything is trained."""

from smolrecipes.check.check import check
from smolrecipes.check.finding import Finding

__all__ = ["Finding", "check"]
