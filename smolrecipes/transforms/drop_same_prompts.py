"""DropSamePrompts: of rows that ask the same, the first is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.transforms.before import again, keys

if TYPE_CHECKING:
    from smolrecipes.kinds import Facts

Row = dict[str, Any]


class DropSamePrompts(Transform, name="drop_same_prompts"):
    """Keeps the first of the rows that ask the same but for case, punctuation and spacing, or as `alike` says, whatever they answer.

    What a row asks is its source or text, and of a conversation what the user says before the first answer: as the
    held-out split tells rows apart.
    """

    context: bool = option(default=False, kw_only=False)
    """Whether another system message or other functions make it another question."""

    alike: Literal["words", "case", "spacing", "exact"] = "words"
    """What counts: words alone, by which 2+2 is 2-2; all but case and spacing; all but spacing, as in code; or everything."""

    def survey(self, rows: Iterable[Row]) -> Facts:
        return keys(map(self._asked, rows))

    def decide(self, surveys: Sequence[Facts]) -> Sequence[Facts]:
        return again(surveys)

    def apply(self, rows: Iterable[Row], known: Facts) -> Iterator[Outcome]:
        for row, seen in zip(rows, known["again"].tolist(), strict=True):
            yield Outcome(None, ("its prompt was there before",)) if seen else Outcome(row)

    def _asked(self, row: Row) -> str:
        from smolrecipes.data.rows import as_compared, prompt_key

        asked = prompt_key(row, self.alike)
        if self.context:
            turns = row.get("messages") or row.get("prompt") or []
            first = [turn for turn in turns if turn["role"] in ("system", "developer")]
            told = [as_compared(turn.get("content") or "", self.alike) for turn in first]
            asked = json.dumps([asked, told, row.get("tools")], sort_keys=True)
        return asked
