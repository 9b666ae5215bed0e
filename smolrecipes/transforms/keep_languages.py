"""KeepLanguages: rows in other languages are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import Ge, Gt, Le, MinLen
from smolrecipes.transforms.texts import whole

READ, PLACES = 2_000, 4
"""Characters of a row that are read at most, and in how many places of a longer one: more tell nothing new, and take long."""


class KeepLanguages(Transform, name="keep_languages"):
    """Keeps rows in some languages, told by py3langid (after langid.py, Lui and Baldwin, 2012): `KeepLanguages("it", "en")`."""

    packages = ("py3langid",)

    languages: Annotated[tuple[str, ...], MinLen(1)] = option(kw_only=False)
    """Their ISO 639 codes."""
    least: Annotated[float, Gt(0), Le(1)] = 0.5
    """The probability, from 0 to 1, that a row is in one of them: rows of less are dropped."""
    shortest: Annotated[int, Ge(0)] = 60
    """Rows whose letters are fewer bytes of UTF-8 stay, since so few do not tell their language; 0 judges all."""

    def __init__(self, *languages: str | Sequence[str], **options: Any) -> None:
        several = not languages or not isinstance(languages[0], str)
        super().__init__(*(languages if several else (languages,)), **options)

    def check(self) -> None:
        super().check()
        known = sorted(_identifier().labels)
        for code in self.languages:
            if code not in known:
                raise RecipeError(f"{self.name}.languages: py3langid tells no '{code}'{_instead(code, known)}")

    def treat(self, row: dict[str, Any]) -> Outcome:
        text = _sample(whole(row))
        if self._short(text):
            return Outcome(row)
        ranked = _identifier().rank(text)
        if sum(share for language, share in ranked if language in self.languages) >= self.least:
            return Outcome(row)
        best = ranked[0][0]
        return Outcome(None, (f"language {best}, in doubt" if best in self.languages else f"language {best}",))

    def _short(self, text: str) -> bool:
        """Bytes count, since a letter of Japanese tells more than one of Italian."""
        letters = 0
        for sign in text:
            if letters >= self.shortest:
                return False
            if sign.isalpha():
                letters += len(sign.encode())
        return letters < self.shortest


def _sample(text: str) -> str:
    if len(text) <= READ:
        return text
    starts = range(0, len(text) // PLACES * PLACES, len(text) // PLACES)
    return "\n".join(text[start : start + READ // PLACES] for start in starts)


def _instead(code: str, known: list[str]) -> str:
    """What is meant by `ita`, `it-IT` or `Italian`; all that there is where nothing is near."""
    near = nearest(code[:2].lower() if code[:2].lower() in known else code, known)
    return near or f"; it knows {', '.join(known)}"


@cache
def _identifier() -> Any:
    """The model in py3langid's package, once for each process: about 0.7 s and 120 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
