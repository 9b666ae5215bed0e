"""KeepQuality: rows that the rules of known corpora would not take are dropped."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Annotated, Any, Literal, get_args

from smolrecipes.component import option
from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Outcome, Transform
from smolrecipes.limits import MinLen
from smolrecipes.transforms.texts import is_text, whole
from smolrecipes.transforms.words import Words, word_tokenizer

Filter = Literal["gopher", "gopher_repetition", "c4", "fineweb"]
FILTERS = {
    "gopher": "GopherQualityFilter",
    "gopher_repetition": "GopherRepetitionFilter",
    "c4": "C4QualityFilter",
    "fineweb": "FineWebQualityFilter",
}
OURS = ("self", "exclusion_writer", "language")
"""Of the filters' options those that are no rules."""


class KeepQuality(Transform, name="keep_quality"):
    """Keeps what the rules of a known corpus keep, by datatrove's filters: `KeepQuality("gopher", "c4")`.

    gopher and gopher_repetition: MassiveText (Rae et al., 2021); c4: C4 (Raffel et al., 2020), which also cuts lines;
    fineweb: FineWeb (Penedo et al., 2024). The reason is datatrove's own.
    """

    packages = ("datatrove",)

    filters: Annotated[tuple[Filter, ...], MinLen(1)] = option(kw_only=False)
    """Which rules, one after the other."""
    words: Words = "regex"
    """What a word is, on which these rules depend: punctuation by itself, white space between, or datatrove's own for English, spaCy."""
    rules: dict[str, Any] = option(factory=dict)
    """Other thresholds than theirs, by the names that datatrove has for them: `{"min_doc_words": 20}`."""

    def __init__(self, *filters: str | Sequence[str], **options: Any) -> None:
        several = not filters or not isinstance(filters[0], str)
        super().__init__(*(filters if several else (filters,)), **options)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rules", {name: _listed(value) for name, value in self.rules.items()})

    def check(self) -> None:
        super().check()
        if self.words == "spacy" and find_spec("spacy") is None:
            raise RecipeError(f"{self.name}.words=spacy needs spaCy, which is not installed: pip install spacy")
        known = {name: rule for one in self.filters for name, rule in _rules(one).items()}
        for name, value in self.rules.items():
            if name not in known:
                near = nearest(name, known) or f" (there are: {', '.join(known)})"
                raise RecipeError(f"{self.name}.rules: {' and '.join(self.filters)}: no rule '{name}'{near}")
            if problem := _unfit(value, known[name]):
                raise RecipeError(f"{self.name}.rules: {name} is {problem}, not {value!r}")

    def treat(self, row: dict[str, Any]) -> Outcome:
        from datatrove.data import Document

        document = Document(whole(row), id="")
        for judge in (_words, *self._judges):
            verdict = judge(document)
            if verdict is not True:
                return Outcome(None, (verdict[1],))
        if not is_text(row) or document.text == row["text"]:
            return Outcome(row)
        return Outcome({**row, "text": document.text}, ("edited by the rules of C4",))

    @cached_property
    def _judges(self) -> list[Any]:
        """datatrove's filters, each with the rules that it knows; after C4's there may be nothing left."""
        found = []
        for name in self.filters:
            rules = {rule: self.rules[rule] for rule in _rules(name) if rule in self.rules}
            given = {rule: tuple(value) if isinstance(value, list) else value for rule, value in rules.items()}
            found += [_class(name)(language=word_tokenizer(self.words), **given).filter]
            found += [_words] * (name == "c4")
        return found


def _words(document: Any) -> Any:
    """The others divide by the number of words."""
    return any(map(str.isalpha, document.text)) or (False, "no words")


def _class(name: str) -> Any:
    from datatrove.pipeline import filters

    return getattr(filters, FILTERS[name])


def _rules(name: str) -> dict[str, inspect.Parameter]:
    """What a filter can be told, by name."""
    found = inspect.signature(_class(name).__init__).parameters
    return {name: rule for name, rule in found.items() if name not in OURS}


def _unfit(value: Any, rule: inspect.Parameter) -> str:
    """What a rule is, where the value is no such thing."""
    if value is None and (rule.default is None or type(None) in get_args(rule.annotation)):
        return ""  # without this rule
    if isinstance(rule.default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(rule.default, (int, float)):
        return "" if isinstance(value, (int, float)) and not isinstance(value, bool) else "a number"
    if isinstance(rule.default, tuple):
        return "" if isinstance(value, list) and all(map(_pair, value)) else "a list such as [[2, 0.2], [3, 0.18]]"
    return "" if isinstance(value, list) and all(isinstance(one, str) for one in value) else "a list of texts"


def _pair(value: Any) -> bool:
    return isinstance(value, list) and [type(one) for one in value] in ([int, float], [int, int]) and value[0] > 0


def _listed(value: Any) -> Any:
    """Tuples as lists, as they come back from recipe.json."""
    return [_listed(one) for one in value] if isinstance(value, (list, tuple)) else value
