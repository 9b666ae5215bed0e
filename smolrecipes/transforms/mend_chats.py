"""MendChats: conversations whose turns are in order; what can be mended is, the rest is dropped."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from smolrecipes.kinds import Outcome, Transform
from smolrecipes.transforms.turns import EMPTY, JOINED, SPELT, SYSTEM, Turn, fault, is_empty, joined, spelt

CUT = "turns after the last answer are cut"
NONE = "no answer"


class MendChats(Transform, name="mend_chats"):
    """Mends roles and turns where it is clear what is meant, and drops conversations that are out of order.

    In order is: perhaps a system message, then user and assistant in turn, the user first; an assistant's calls are
    followed by a tool message each, in any number, and those by the assistant; the last turn answers or calls.
    """

    rows: ClassVar[tuple[str, ...]] = ("messages", "preference", "judged")

    repeated: Literal["join", "drop"] = "join"
    """What becomes of two turns of one role in a row: one turn, an empty line between their texts, or nothing."""
    unanswered: Literal["cut", "drop", "keep"] = "cut"
    """What becomes of turns after the last answer: they are cut, or the row is dropped, or kept as it is. Without any answer it is
    dropped whatever is asked: there is nothing to learn."""

    def treat(self, row: dict[str, Any]) -> Outcome:
        asked = row.get("prompt") or []
        prompt, reasons = self._mended(asked, ends=False)
        new = {**row, "prompt": prompt} if "prompt" in row else {**row}
        for column in ("messages", "chosen", "rejected", "completion"):
            if column not in row:
                continue
            new[column], found = self._mended(row[column] or [], ends=True)
            reasons += found
            if wrong := self._wrong(prompt if "prompt" in row else None, new[column]):
                return Outcome(None, (wrong,))
        return Outcome(new, tuple(dict.fromkeys(reasons)))

    def _mended(self, turns: list[Turn], ends: bool) -> tuple[list[Turn], list[str]]:
        """The turns, mended, and what was; `ends` where they should end with an answer."""
        new, other = spelt(turns)
        reasons = [SPELT] * other
        steps = ((EMPTY, _without_empty_system), (JOINED, joined), (CUT, _to_the_last_answer))
        wanted = {EMPTY: True, JOINED: self.repeated == "join", CUT: ends and self.unanswered == "cut"}
        for reason, change in steps:
            if wanted[reason]:
                before, new = len(new), change(new)
                reasons += [reason] * (len(new) < before)
        return new, reasons

    def _wrong(self, prompt: list[Turn] | None, answer: list[Turn]) -> str:
        """Why a conversation is dropped, or nothing; `prompt` where its turns are kept by themselves."""
        if not any(turn["role"] == "assistant" for turn in answer):
            return NONE
        if answer[-1]["role"] != "assistant" and self.unanswered != "keep":
            return NONE if self.unanswered == "cut" else "it does not end with an answer"
        return fault(answer) if prompt is None else fault([*prompt, *answer], len(prompt))


def _without_empty_system(turns: list[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn["role"] not in SYSTEM or not is_empty(turn)]


def _to_the_last_answer(turns: list[Turn]) -> list[Turn]:
    """Up to the assistant's last turn; all of them where there is none."""
    last = max((at for at, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
    return turns[: last + 1]
