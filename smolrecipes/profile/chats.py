"""What a chat template will meet: roles, turns, system messages, tools and calls."""

from __future__ import annotations

from collections import Counter
from typing import Any

from smolrecipes.profile.counts import Counts

Row = dict[str, Any]
COLUMNS = ("messages", "prompt", "chosen", "completion")
"""Where turns are; what is rejected has the form of what is chosen."""


class Chats:
    """Counted over conversations, one by one."""

    def __init__(self) -> None:
        self.rows = self.with_system = self.with_tools = self.with_calls = self.thinking = 0
        self.roles: Counter[str] = Counter()
        self.turns: Counter[int] = Counter()
        self.called = Counts()
        self.systems: set[int] = set()

    def add(self, row: Row) -> None:
        """Counts one conversation."""
        turns = [turn for column in COLUMNS for turn in row.get(column) or []]
        systems = [str(turn.get("content")) for turn in turns if turn["role"] == "system"]
        calls = [call for turn in turns for call in turn.get("tool_calls") or []]
        self.rows += 1
        self.with_system += bool(systems)
        self.with_tools += bool(row.get("tools"))
        self.with_calls += bool(calls)
        self.thinking += any(turn.get("reasoning_content") for turn in turns)
        self.systems.update(map(hash, systems))
        self.roles.update(str(turn["role"]) for turn in turns)
        self.turns[len(turns) - len(systems)] += 1
        self.called.add(str(call.get("function", {}).get("name")) for call in calls)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rows": self.rows,
            "roles": dict(self.roles.most_common()),
            "turns": {str(number): self.turns[number] for number in sorted(self.turns)},
            "with a system message": self.with_system,
            "different system messages": len(self.systems),
            "with tools": self.with_tools,
            "with calls": self.with_calls,
            "with reasoning": self.thinking,
            "functions called": self.called.facts(),
        }
