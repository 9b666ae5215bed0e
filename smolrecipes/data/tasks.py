"""How the rows of four tasks are recognised: questions on a text, multiple choice, tagged words, mentions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from smolrecipes.data.chat import shown
from smolrecipes.data.recognise import LABELS, TEXTS, Kinds, Row, Shape, _given, _list, _text
from smolrecipes.errors import RecipeError

TAGS = ("tags", "ner_tags", "pos_tags", "labels")
TOKENS = ("tokens", "words")
BEGINNINGS = ("text", "startphrase", "ctx", "question", "context", *TEXTS[1:])
CHOICES = ("choices", "endings", "options")
WHICH = (*LABELS, "answer")


def shapes(kinds: Kinds) -> Iterator[Shape]:
    """What these columns may hold of the four, the most telling first."""
    yield from _questions(kinds)
    yield from _choices(kinds)
    yield from _tagged(kinds)
    yield from _mentions(kinds)


def _questions(kinds: Kinds) -> Iterator[Shape]:
    used = ("question", "context", "answers")
    if tuple(map(kinds.get, used)) == ("text", "text", "object"):
        yield Shape("question", used, f"{_list(used)}, read as questions on a text", _question)


def _question(row: Row, where: str) -> Row:
    context, found = _text(row, "context", where), _given(row, "answers", where)
    told = found if isinstance(found, dict) else {"text": found}
    texts, starts = (told.get(name) or [] for name in ("text", "answer_start"))
    if told is not found or not (_all(texts, str) and _all(starts, int)):
        raise RecipeError(
            f'{where}: answers should be {{"text": ["..."], "answer_start": [0]}}, with empty lists where there is none, '
            f"not {shown(found)}"
        )
    if len(texts) != len(starts):
        raise RecipeError(f"{where}: answers should have as many texts as starts, not {shown(found)}")
    for text, start in zip(texts, starts):
        if context[start : start + len(text)] != text:
            there = shown(context[start : start + len(text)])
            raise RecipeError(f"{where}: answers: {shown(text)} does not begin at character {start}, where {there} is")
    answers = {"text": list(texts), "answer_start": list(starts)}
    return {"question": _text(row, "question", where), "context": context, "answers": answers}


def _all(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _choices(kinds: Kinds) -> Iterator[Shape]:
    label = next((name for name in WHICH if kinds.get(name) in ("int", "text")), None)
    several = next((name for name in CHOICES if kinds.get(name) == "texts"), None)
    endings = tuple(sorted(name for name in kinds if re.fullmatch(r"ending\d", name)))
    text = next((name for name in BEGINNINGS if kinds.get(name) == "text"), None)
    if label and text and (several or endings):
        used = (text, *((several,) if several else endings), label)
        yield Shape("choices", used, f"{_list(used)}, read as multiple choice", _choice(text, several, endings, label))


def _choice(text: str, several: str | None, endings: tuple[str, ...], label: str) -> Callable[[Row, str], Row]:
    def convert(row: Row, where: str) -> Row:
        found = _texts(row, several, where) if several else [_text(row, name, where) for name in endings]
        return {"text": _text(row, text, where), "choices": found, "label": _which(row, label, found, where)}

    return convert


def _which(row: Row, label: str, choices: list[str], where: str) -> int:
    """Which choice is right, from 0: given as a number, a letter (A is the first), or as the choice itself."""
    value = _given(row, label, where)
    if isinstance(value, str):
        letter = ord(value.upper()) - ord("A") if re.fullmatch("[A-Za-z]", value) else -1
        value = choices.index(value) if value in choices else int(value) if value.isdecimal() else letter
    if not isinstance(value, int) or not 0 <= value < len(choices):
        raise RecipeError(f"{where}: {label} should say which of the {len(choices)} choices is right, from 0 on")
    return value


def _tagged(kinds: Kinds) -> Iterator[Shape]:
    tokens = next((name for name in TOKENS if kinds.get(name) == "texts"), None)
    for tags in (name for name in TAGS if kinds.get(name) in ("texts", "list") and tokens):
        assert tokens
        yield Shape("tagged", (tokens, tags), f"{tokens} and {tags}, read as tagged words", _words(tokens, tags))


def _words(tokens: str, tags: str) -> Callable[[Row, str], Row]:
    def convert(row: Row, where: str) -> Row:
        words, found = _texts(row, tokens, where), _given(row, tags, where)
        if not isinstance(found, list) or len(found) != len(words):
            raise RecipeError(
                f"{where}: {tags} should be one for each of the {len(words)} {tokens}, not {shown(found)}"
            )
        return {"tokens": words, "tags": [str(tag) for tag in found]}

    return convert


def _mentions(kinds: Kinds) -> Iterator[Shape]:
    text = next((name for name in TEXTS if kinds.get(name) == "text"), None)
    if text and kinds.get("entities") == "mentions":

        def convert(row: Row, where: str) -> Row:
            found = _text(row, text, where)
            return {"text": found, "entities": [_mention(one, found, where) for one in row.get("entities") or []]}

        yield Shape("mentions", (text, "entities"), f"{text} and entities, read as texts with mentions", convert)


def _mention(given: Any, text: str, where: str) -> Row:
    """Where in the text an entity is mentioned, and which; its name is called entity, title, id or label."""
    own = given if isinstance(given, dict) else {}
    start, end = own.get("start"), own.get("end")
    name = next((own[key] for key in ("entity", "title", "id", "label") if isinstance(own.get(key), (str, int))), None)
    if not isinstance(start, int) or not isinstance(end, int) or name is None:
        raise RecipeError(
            f'{where}: entities: each should be as {{"start": 0, "end": 4, "entity": "Rome"}}, not {shown(given)}'
        )
    if not 0 <= start < end <= len(text):
        raise RecipeError(f"{where}: entities: a text of {len(text)} characters has no mention from {start} to {end}")
    return {"start": start, "end": end, "entity": str(name)}


def _texts(row: Row, column: str, where: str) -> list[str]:
    found: Any = _given(row, column, where)
    if not isinstance(found, list) or not found or not all(isinstance(item, str) for item in found):
        raise RecipeError(f"{where}: {column} should be a list of texts, not {shown(found)}")
    return found
