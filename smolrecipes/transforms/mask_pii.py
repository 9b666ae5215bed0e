"""MaskPII: e-mail addresses, phone numbers, cards, accounts and IP addresses give way to what they are."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Any

from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import MinLen
from smolrecipes.transforms.personal import Kind, spans
from smolrecipes.transforms.texts import rewritten


class MaskPII(Transform, name="mask_pii"):
    """Masks personally identifiable information that has a form: names and postal addresses have none and stay.

    Cards and IBANs must have a right checksum; IP addresses be public and no versions; phone numbers have a country's
    code, be written as in America, or follow a word such as `tel.`
    """

    private = True

    kinds: Annotated[tuple[Kind, ...], MinLen(1)] = option(
        default=("e-mail", "iban", "card", "ip", "phone"), kw_only=False
    )
    """What is masked."""
    mask: str = "[{kind}]"
    """What stands in its place; `{kind}` is one of these words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _fills(self.mask):
            raise RecipeError(
                f"MaskPII.mask: only {{kind}} is filled in, not all that {self.mask!r} has in braces; double other braces"
            )

    def treat(self, row: dict[str, Any]) -> Outcome:
        found: dict[str, None] = {}

        def change(text: str) -> str:
            parts, end = [], 0
            for (start, after), kind in spans(text, self.kinds):
                parts += [text[end:start], self.mask.format(kind=kind)]
                found[f"{kind} masked"] = None
                end = after
            return "".join([*parts, text[end:]])

        new = rewritten(row, change)
        return Outcome(new, tuple(found)) if found else Outcome(row)


def _fills(mask: str) -> bool:
    """Whether all that a mask has in braces is `{kind}`."""
    try:
        return {(name, form, sign) for _, name, form, sign in Formatter().parse(mask) if name is not None} <= {
            ("kind", "", None)
        }
    except ValueError:
        return False
