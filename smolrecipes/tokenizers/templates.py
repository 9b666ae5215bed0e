"""Chat templates: those that ship, by name, and a user's own file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HERE = Path(__file__).parent
TEMPLATES = tuple(sorted(path.stem for path in HERE.glob("*.jinja")))
_HEADER = re.compile(r"\A\s*\{#-? control tokens:(.*?)-?#\}\s*")


def template(name: str) -> str:
    """The text of a chat template that ships, by name, or of a file, without its list of control tokens."""
    return _HEADER.sub("", _read(name)).strip()


def control_tokens(name: str) -> list[str]:
    """The control tokens that a template lists in its first line: `{#- control tokens: <|im_start|> <|im_end|> -#}`."""
    found = _HEADER.match(_read(name)) if name != "none" else None
    return found[1].split() if found else []


def check_name(name: str, where: str) -> None:
    """That it is none, a template that ships, or a file's name."""
    if name not in (*TEMPLATES, "none") and not name.endswith(".jinja"):
        known = (*TEMPLATES, "none")
        raise RecipeError(
            f"{where}: there is no chat template '{name}'{nearest(name, known) or ';'} it is one of "
            f"{', '.join(known)}, or a file, as in my.jinja"
        )


def identity(name: str | None) -> Any:
    """What it is known by: its name, or all that its file says."""
    return [template(name), control_tokens(name)] if name and name.endswith(".jinja") else name


def use(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Writes messages with a template from now on; RecipeError when no control token would end a turn."""
    from jinja2 import TemplateError

    from smolrecipes.conversation.tokens import turn_end

    if name == "none":
        tokenizer.chat_template = None
        return
    tokenizer.chat_template = template(name)
    known = set(tokenizer.get_vocab())
    tokenizer.add_tokens([token for token in control_tokens(name) if token not in known], special_tokens=True)
    try:
        end = turn_end(tokenizer)
    except TemplateError as error:
        raise RecipeError(f"chat_template={name}: it cannot write a question and its answer ({error})") from error
    if end is None:
        raise RecipeError(
            f"chat_template={name}: no control token ends an answer; end turns with {{{{ eos_token }}}}, or with a token "
            "that the first line lists, as in {#- control tokens: <|end|> -#}"
        )


def _read(name: str) -> str:
    file = HERE / f"{name}.jinja" if name in TEMPLATES else Path(name).expanduser()
    if not file.is_file():
        raise RecipeError(f"chat_template: there is no file {name}{nearest(name, TEMPLATES)}")
    return file.read_text(encoding="utf-8")
