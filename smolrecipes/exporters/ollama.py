"""A folder for Ollama: a GGUF file, and a Modelfile with the trained template, the words that end an answer, the decoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from smolrecipes.exporters.around import go, opening, pieces
from smolrecipes.exporters.gguf import GGUF

if TYPE_CHECKING:
    from smolrecipes.decoding import Decoding
    from smolrecipes.exporters.certificate import Certificate
    from smolrecipes.run import Run


class Ollama(GGUF):
    """The GGUF file with a Modelfile beside it: `ollama create NAME -f Modelfile`.

    The template is what the trained one writes around each message, and is compared with it. It writes no tools: Ollama's
    language has another JSON than the one that was trained on. What is left out is said in the certificate.
    """

    label: ClassVar[str] = "Ollama"

    def file(self, run: Run) -> str:
        return f"{run.folder.name}-ollama-{self.form}"

    def make(self, run: Run, target: Path) -> list[Certificate]:
        from transformers import AutoTokenizer

        target.mkdir()
        tokenizer = AutoTokenizer.from_pretrained(run.model)
        *others, made = super().make(run, target / "model.gguf")
        text = modelfile(tokenizer, run.recipe.decoding)
        (target / "Modelfile").write_text(text, encoding="utf-8")
        return [*others, replace(made, note=left_out(tokenizer, run.recipe.decoding))]


def left_out(tokenizer: Any, decoding: Decoding) -> str:
    """What Ollama does without, and what to do about it; nothing where all is there."""
    lost = [name for name in ("typical_p", "beams", "no_repeat_ngram") if name in decoding.changed()]
    notes = [f"Ollama writes without the recipe's {' and '.join(lost)}"] if lost else []
    if _calls(tokenizer):
        notes.append(
            "Ollama gets no tools: it refuses requests that offer them, and leaves out their answers; "
            "where the model calls functions, export gguf and `smolrecipes serve` the file"
        )
    return "; ".join(notes)


def _calls(tokenizer: Any) -> bool:
    """Whether the trained template writes tools."""
    from smolrecipes.exporters.reading import Words, writable
    from smolrecipes.exporters.samples import TOOL

    own, name = Words(tokenizer), TOOL["function"]["name"]
    return any(tools and f'"{name}"' in own.rendered(messages, tools) for messages, tools in writable(own))


def modelfile(tokenizer: Any, decoding: Decoding) -> str:
    """The Modelfile: where the weights lie, the template in Go's language, the words that end an answer, how it is written."""
    lines = ["FROM ./model.gguf"]
    if tokenizer.chat_template:
        first = "" if _begins(tokenizer) else opening(tokenizer)  # llama.cpp writes what the tokenizer adds by itself
        lines += [f'TEMPLATE """{first}{go(pieces(tokenizer))}"""', f'PARAMETER stop "{_end(tokenizer)}"']
    else:
        lines.append('TEMPLATE "{{ .Prompt }}"')
    how = {
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "top_k": decoding.top_k,
        "min_p": decoding.min_p,
    }
    how |= {"repeat_penalty": decoding.repetition_penalty, "repeat_last_n": -1, "num_predict": decoding.max_new_tokens}
    lines += [f"PARAMETER {name} {value:g}" for name, value in how.items()]
    return "\n".join(lines) + "\n"


def _begins(tokenizer: Any) -> bool:
    """Whether the tokenizer itself puts a token before every text."""
    return bool(list(tokenizer("a")["input_ids"])[:1] == [tokenizer.bos_token_id])


def _end(tokenizer: Any) -> str:
    from smolrecipes.conversation.tokens import turn_end

    end = turn_end(tokenizer)
    return str(tokenizer.convert_ids_to_tokens(end if end is not None else tokenizer.eos_token_id))
