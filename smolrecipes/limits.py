"""Limits on an option: `Annotated[int, Gt(0)]` as with annotated_types, whose import takes as long as this whole package."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar


class Limit:
    """One limit, stored under the name that annotated_types and pydantic have for it."""

    key: ClassVar[str]

    def __init__(self, value: Any) -> None:
        setattr(self, self.key, value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return {**handler(source), **vars(self)}


class Gt(Limit):
    """Greater than."""

    key = "gt"


class Ge(Limit):
    """Greater than or equal to."""

    key = "ge"


class Lt(Limit):
    """Less than."""

    key = "lt"


class Le(Limit):
    """Less than or equal to."""

    key = "le"


class MinLen(Limit):
    """At least so many elements."""

    key = "min_length"


class ShareOrCount:
    """A share below 1 or a whole number, such as of rows; 0 is none."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(_share_or_count, handler(source))


def _share_or_count(value: float) -> float:
    from pydantic_core import PydanticCustomError

    if value >= 0 and (value < 1 or value.is_integer()):
        return value
    raise PydanticCustomError("share_or_count", "Input should be a share below 1, or a whole number of rows (0: none)")


Positive = Annotated[int, Gt(0)]
