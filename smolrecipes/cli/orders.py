"""What is obeyed in a chat rather than answered: lines that begin with a slash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.cli.answers import say
from smolrecipes.cli.calls import names, read_tools, signature
from smolrecipes.cli.folder import printable
from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from smolrecipes.cli.conversation import Conversation

Talks = list["Conversation"]
HELP = "/help lists the orders, /quit ends"
ORDERS = {
    "/system [TEXT]": "a new conversation with that system message, or without one",
    "/tools [FILE|none]": "a new conversation with the functions in that JSON file, or with none; alone, it tells them",
    "/reset": "forgets the conversation",
    "/temperature [N]": "0 takes the likeliest token, more draws; alone, it tells",
    "/max [N]": "tokens to answer with at most; alone, it tells",
    "/save FILE.jsonl": "adds the conversation to a file that can be trained on",
    "/quit": "ends, and so does Ctrl-D; Ctrl-C stops an answer",
    "/help": "lists these",
}
OPTIONS = {"/temperature": "temperature", "/max": "max_new_tokens"}


def is_order(line: str) -> bool:
    """Whether a line is an order, known or not."""
    word = line.partition(" ")[0]
    return word.startswith("/") and word[1:].isalpha()


def obey(talks: Talks, line: str) -> bool:
    """Does what a line orders, with all conversations or none; False when it asks to end."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    known = {"/reset": _reset, "/system": _system, "/tools": _tools, "/save": _save, "/help": _help}
    if word == "/quit":
        return False
    if word in OPTIONS:
        _option(talks, word, rest)
    elif word in known:
        known[word](talks, rest)
    else:
        print(f"there is no {word}{nearest(word, [*known, *OPTIONS, '/quit']) or ';'} {HELP}")
    return True


def _help(talks: Talks, rest: str) -> None:
    for order, what in ORDERS.items():
        print(f"{order:20}{what}")


def _reset(talks: Talks, rest: str) -> None:
    for talk in talks:
        talk.reset()
    say(f"the conversation is forgotten{'; the system message stays' if talks[0].system else ''}")


def _system(talks: Talks, text: str) -> None:
    for talk in talks if text else ():
        talk.needs_template("a system message")
    for talk in talks:
        talk.begin(text)
    say(f"a new conversation, {'with that' if text else 'without a'} system message")


def _tools(talks: Talks, file: str) -> None:
    if not file:
        told = "\n".join(map(signature, talks[0].tools))
        print(printable(told or "no function is offered; /tools FILE offers those in a JSON file"))
        return
    offer(talks, [] if file == "none" else read_tools(Path(file)))
    say(f"a new conversation, with {', '.join(names(talks[0].tools)) or 'no function'}")


def offer(talks: Talks, tools: list[dict[str, Any]]) -> None:
    """Offers functions to all models, or to none of them where one has no place for them."""
    for talk in talks if tools else ():
        talk.needs_tools(tools)
    for talk in talks:
        talk.offer(tools)


def _option(talks: Talks, word: str, text: str) -> None:
    from smolrecipes.annotations import spoken
    from smolrecipes.decoding import Decoding
    from smolrecipes.values import parsed

    name = OPTIONS[word]
    if text:
        try:
            value = parsed(Decoding, name, text, word)
        except RecipeError:
            takes = spoken(Decoding.hints()[name]).replace("float", "a number").replace("int", "a whole number")
            raise RecipeError(f"{word} takes {takes}, not {text!r}") from None
        for talk in talks:
            talk.write(**{name: value})
        say(f"{name} is {value:g} from now on")
        return
    own = {talk.name: f"{getattr(talk.decoding, name):g}" for talk in talks}
    alike = len(set(own.values())) == 1
    print(next(iter(own.values())) if alike else ", ".join(f"{model}: {value}" for model, value in own.items()))


def _save(talks: Talks, name: str) -> None:
    from smolrecipes.files import append

    file = Path(name).expanduser()
    if file.suffix != ".jsonl":
        raise RecipeError("/save adds a line to a file whose name ends with .jsonl, as in /save talk.jsonl")
    rows = [talk.row for talk in talks if any(message["role"] == "assistant" for message in talk.messages)]
    if not rows:
        raise RecipeError("/save: nothing was said yet")
    try:
        append(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OSError as error:
        raise RecipeError(f"/save: {file} cannot be written ({error.strerror}); name another file") from None
    which = "the conversation is" if len(rows) == 1 else f"{len(rows)} conversations, in the order of their models, are"
    say(f"{which} added to {file}")
