"""What must not change the result: accumulation, packing, processes, an interruption, saving, merging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolrecipes.prove.proof import Proof

__all__ = ["prove"]


def prove(what: Any) -> list[Proof]:
    """All proofs of a recipe; or those of any transformers or TRL Trainer that need no second recipe: accumulation, seed
    and resuming. Every training is of a copy in a process of its own: `what` is as it was afterwards."""
    from smolrecipes.prove.proofs import proofs

    return list(proofs(what))
