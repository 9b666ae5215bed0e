"""DropSamePrompts: of rows that ask the same, the first is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class DropSamePrompts(Transform, name="drop_same_prompts"):
    """Keeps the first of the rows that ask the same but for case, punctuation and spacing, whatever they answer.

    What a row asks is its source or text, and of a conversation what the user says before the first answer: as the
    held-out split tells rows apart.
    """

    context: bool = option(default=False, kw_only=False)
    """Whether another system message or other functions make it another question."""

    def survey(self, rows: Iterable[Row]) -> Facts:
        import numpy as np

        return {"keys": np.frombuffer(b"".join(map(self._key, rows)), dtype="V16")}

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        import numpy as np

        keys = np.concatenate([one["keys"] for one in surveys])
        again = np.ones(len(keys), dtype=bool)
        again[np.unique(keys, return_index=True)[1]] = False
        ends = np.cumsum([len(one["keys"]) for one in surveys])
        return [{"again": part} for part in np.split(again, ends[:-1])]

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        for row, again in zip(rows, known["again"].tolist(), strict=True):
            yield Outcome(None, ("its prompt was there before",)) if again else Outcome(row)

    def _key(self, row: Row) -> bytes:
        from hashlib import blake2b

        from smolrecipes.data.rows import normal, prompt_key

        asked = prompt_key(row)
        if self.context:
            turns = row.get("messages") or row.get("prompt") or []
            told = [normal(turn["content"]) for turn in turns if turn["role"] in ("system", "developer")]
            asked = json.dumps([asked, told, row.get("tools")], sort_keys=True)
        return blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).digest()
