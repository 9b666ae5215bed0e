"""FixText: what encodings and copying have done to a text is undone."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.transforms.texts import rewritten

SPECIAL = re.compile(r"[&\x00-\x08\x0b\r\x0e-\x1f\x7f]")
"""What ftfy looks at in ASCII."""


class FixText(Transform, name="fix_text"):
    """Mends text that was decoded wrongly (`cafÃ©`), HTML entities, ligatures and control characters, by ftfy."""

    packages = ("ftfy",)

    unicode: Literal["NFC", "NFKC", "none"] = option(default="NFC", kw_only=False)
    """The normal form (Unicode Standard Annex 15): NFC keeps what is seen, NFKC also makes `²` a 2. Ligatures (`ﬁ`) are split in any case."""
    quotes: bool = False
    """Whether curly quotes become straight ones."""

    def treat(self, row: dict[str, Any]) -> Outcome:
        return Outcome(rewritten(row, self._mended), ("text is mended",))

    def _mended(self, text: str) -> str:
        """What `ftfy.fix_text` makes of it, which looks at lines, and does nothing to those of plain ASCII."""
        import ftfy

        if _plain(text):
            return text
        config, lines = self._config, text.split("\n")
        ended = [f"{line}\n" for line in lines[:-1]] + lines[-1:]
        for index, line in enumerate(ended):
            if "<" in line:  # it may be HTML, where entities are meant: from here on they stay
                config = config._replace(unescape_html=False)
            if not _plain(line):
                ended[index] = ftfy.fix_text(line, config)
        return "".join(ended)

    @cached_property
    def _config(self) -> Any:
        from ftfy import TextFixerConfig

        form = None if self.unicode == "none" else self.unicode
        return TextFixerConfig(uncurl_quotes=self.quotes, normalization=form, explain=False)


def _plain(text: str) -> bool:
    """Whether it is ASCII without entities and control characters."""
    return text.isascii() and not SPECIAL.search(text)
