"""What of a file is broken: the first of it stops the reading, or all of it is left out and told."""

from __future__ import annotations

import re

from smolrecipes.errors import RecipeError

SHOWN = 3
"""Places that are named."""
PLACE = re.compile(r".*?:\d+|.*?(?=: | cannot be read| is not text)")
"""What a sentence begins with: a line, or a file."""


class TooLarge(RecipeError):
    """A file that unpacks to more than anyone means to read: it stops the reading also where what is broken is left out."""


class Broken:
    """What was broken in one file."""

    def __init__(self, name: str, leave_out: bool) -> None:
        self.name = name
        self.leave_out = leave_out
        self.count = 0
        self.first: list[str] = []

    def met(self, error: RecipeError) -> None:
        """Raises the error, or counts it."""
        if not self.leave_out or isinstance(error, TooLarge):
            raise error
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(str(error))

    def sentence(self) -> str:
        """`x.jsonl: 2 left out as broken: x.jsonl:4, x.jsonl:9; the first: x.jsonl:4, column 7: ...`."""
        places = [found[0] if (found := PLACE.match(one)) else self.name for one in self.first]
        more = f" and {self.count - len(places):,} more" if self.count > len(places) else ""
        return f"{self.name}: {self.count:,} left out as broken: {', '.join(places)}{more}; the first: {self.first[0]}"
