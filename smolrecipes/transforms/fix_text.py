"""FixText: what encodings and copying have done to a text is undone."""

from __future__ import annotations

from typing import Any, Literal

from smolrecipes.component import option
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.transforms.extra import needs
from smolrecipes.transforms.texts import rewritten


class FixText(Transform, name="fix_text"):
    """Mends text that was decoded wrongly (`cafÃ©`), HTML entities, ligatures and control characters, by ftfy."""

    unicode: Literal["NFC", "NFKC", "none"] = option(default="NFC", kw_only=False)
    """The normal form (Unicode Standard Annex 15): NFC keeps what is seen, NFKC also makes `ﬁ` two letters and `²` a 2."""
    quotes: bool = False
    """Whether curly quotes become straight ones."""

    def check(self) -> None:
        needs("ftfy", self.name)

    def treat(self, row: dict[str, Any]) -> Outcome:
        import ftfy

        form = None if self.unicode == "none" else self.unicode
        new = rewritten(row, lambda text: ftfy.fix_text(text, uncurl_quotes=self.quotes, normalization=form))
        return Outcome(new, ("text is mended",))
