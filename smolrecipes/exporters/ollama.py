"""A folder for Ollama: a GGUF file, and a Modelfile with the trained template, the words that end an answer, the decoding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.errors import RecipeError
from smolrecipes.exporters.gguf import GGUF

if TYPE_CHECKING:
    from smolrecipes.decoding import Decoding
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run

MARKS = {role: f"\N{BLACK SQUARE}{role}\N{BLACK SQUARE}" for role in ("system", "user", "assistant", "again")}
"""What stands for each message while the template's own words around it are found."""
PROMPT = "prompt"
"""What begins the answer; a few templates write an answer that was given otherwise."""
UNLIKE = (
    "ollama: the chat template is more than words around each message, and Ollama has a template language of its own; "
    "export gguf and run it in llama.cpp"
)


class Ollama(GGUF):
    """The GGUF file with a Modelfile beside it: `ollama create NAME -f Modelfile`.

    The template is what the trained one writes around each message, and is compared with it. Ollama writes tools in its own way.
    """

    label: ClassVar[str] = "Ollama"

    def file(self, run: Run) -> str:
        return f"{run.folder.name}-ollama-{self.form}"

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from transformers import AutoTokenizer

        target.mkdir()
        tokenizer = AutoTokenizer.from_pretrained(run.model)
        made = super().make(run, target / "model.gguf")
        text = modelfile(tokenizer, run.recipe.decoding)
        (target / "Modelfile").write_text(text, encoding="utf-8")
        return made


def modelfile(tokenizer: Any, decoding: Decoding) -> str:
    """The Modelfile: where the weights lie, the template in Go's language, the words that end an answer, how it is written."""
    lines = ["FROM ./model.gguf"]
    if tokenizer.chat_template:
        first = "" if _begins(tokenizer) else _opening(tokenizer)  # llama.cpp writes what the tokenizer adds by itself
        lines += [f'TEMPLATE """{first}{_go(pieces(tokenizer))}"""', f'PARAMETER stop "{_end(tokenizer)}"']
    else:
        lines.append('TEMPLATE "{{ .Prompt }}"')
    how = {
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "top_k": decoding.top_k,
        "min_p": decoding.min_p,
    }
    how |= {"repeat_penalty": decoding.repetition_penalty, "num_predict": decoding.max_new_tokens}
    lines += [f"PARAMETER {name} {value:g}" for name, value in how.items()]
    return "\n".join(lines) + "\n"


def pieces(tokenizer: Any) -> dict[str, tuple[str, str]]:
    """What the template writes before and after a message of each role, and to begin an answer; RecipeError where no such
    words make its renderings."""
    from smolrecipes.conversation.render import render

    chat = [{"role": role, "content": MARKS[role]} for role in ("system", "user", "assistant")]
    opening = _opening(tokenizer)
    text = render([*chat, {"role": "user", "content": MARKS["again"]}], tokenizer, None, prompt=True)
    text = text.removeprefix(opening)
    short = render(chat[1:2], tokenizer, None, prompt=True).removeprefix(opening)
    before = short.partition(MARKS["user"])[0]
    begins = short.partition(MARKS["user"])[2]
    rest = text.partition(MARKS["system"])
    between = rest[2].partition(MARKS["user"])[0]
    after_user, _, later = text.partition(MARKS["user"])[2].partition(MARKS["assistant"])
    after_answer = later.partition(MARKS["again"])[0]
    if not (between.endswith(before) and after_answer.endswith(before)):
        raise RecipeError(UNLIKE)
    end = after_answer.removesuffix(before)
    closes = end if after_user.startswith(end) and begins.startswith(end) else ""  # a question ends as an answer does
    found = {
        "system": (rest[0], between.removesuffix(before)),
        "user": (before, closes),
        "assistant": (after_user.removeprefix(closes), end),
        PROMPT: (begins.removeprefix(closes), ""),
    }
    _compare(tokenizer, found)
    return found


def rendered(around: dict[str, tuple[str, str]], messages: list[dict[str, Any]]) -> str:
    """A conversation by such pieces, ready for the answer: what Ollama makes of the Modelfile's template."""
    told = "".join(around[each["role"]][0] + each["content"] + around[each["role"]][1] for each in messages)
    return told + around[PROMPT][0]


def _compare(tokenizer: Any, found: dict[str, tuple[str, str]]) -> None:
    from smolrecipes.conversation.render import render
    from smolrecipes.exporters.samples import CONVERSATIONS

    for messages, tools in CONVERSATIONS:
        wanted = render(messages, tokenizer, None, prompt=True)
        if not tools and _opening(tokenizer) + rendered(found, messages) != wanted:
            raise RecipeError(UNLIKE)


def _go(around: dict[str, tuple[str, str]]) -> str:
    told = "".join(
        f'{{{{ {"if" if index == 0 else "else if"} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
        for index, (role, (before, after)) in enumerate(around.items())
        if role != PROMPT
    )
    return "{{ range .Messages }}" + told + "{{ end }}{{ end }}" + around[PROMPT][0]


def _opening(tokenizer: Any) -> str:
    """What the template writes once, at the beginning."""
    from smolrecipes.conversation.render import render

    text = render([{"role": "user", "content": "?"}], tokenizer, None)
    return str(tokenizer.bos_token) if tokenizer.bos_token and text.startswith(tokenizer.bos_token) else ""


def _begins(tokenizer: Any) -> bool:
    """Whether the tokenizer itself puts a token before every text."""
    return bool(list(tokenizer("a")["input_ids"])[:1] == [tokenizer.bos_token_id])


def _end(tokenizer: Any) -> str:
    from smolrecipes.conversation.tokens import turn_end

    end = turn_end(tokenizer)
    return str(tokenizer.convert_ids_to_tokens(end if end is not None else tokenizer.eos_token_id))
