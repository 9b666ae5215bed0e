"""Which tokens of a conversation are learned, with every chat template that TRL ships, and without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from smolrecipes.errors import RecipeError
from smolrecipes.generate import _encode
from smolrecipes.objectives.chat import continuation, encode
from smolrecipes.objectives.dpo import DPO
from smolrecipes.tokenizers.byte_bpe import template

SHIPPED = {path.stem: path for path in sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))}
REFUSED = {
    **dict.fromkeys(("idefics3", "smolvlm"), "does not write what the assistant says"),
    "llava_next": "cannot write these messages",
    **dict.fromkeys(("deepseek_r1_distill", "deepseekv3"), "does not begin turn 2 with what it asks"),
    **dict.fromkeys(
        ("nemotron_3_5_lightning", "nemotron_3_nano", "nemotron_3_super", "nemotron_3_ultra"),
        "does not begin turn 2 with what it asks",
    ),
}
REFUSED |= {f"{name}_training": said for name, said in REFUSED.items()} | {"glm4moe": "nothing that ends an answer"}
CHAT = [
    {"role": "user", "content": "QUESTION ONE"},
    {"role": "assistant", "content": "ANSWER ONE"},
    {"role": "user", "content": "QUESTION TWO"},
    {"role": "assistant", "content": "ANSWER TWO"},
    {"role": "user", "content": "QUESTION THREE"},
    {"role": "assistant", "content": "ANSWER THREE"},
]
END = re.compile(r"(<[^<>]+>\s*)+")


def bytewise(chat_template=None, bos=False, eos="<eos>", special=()):
    names = ["<pad>", "<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token=eos)
    made.add_special_tokens({"additional_special_tokens": list(special)})
    made.chat_template = chat_template
    return made


def written(path):
    """A tokenizer with a template, and with all that looks like one of its control tokens as such."""
    text = path.read_text(encoding="utf-8")
    return bytewise(text, special=sorted(set(re.findall(r"<[｜|][\w▁ ]+[｜|]>|<\w+\|>|<end_of_turn>", text))))


def learned(messages, tokenizer, tools=None):
    """The pieces that are learned, as text."""
    ids, labels = encode(messages, tokenizer, tools)
    pieces = [[]]
    for token, label in zip(ids, labels, strict=True):
        if label != -100:
            pieces[-1].append(token)
        elif pieces[-1]:
            pieces.append([])
    return [tokenizer.decode(piece) for piece in pieces if piece]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_learned_with_every_template_of_trl(name):
    tokenizer = written(SHIPPED[name])
    if name in REFUSED:
        with pytest.raises(RecipeError, match=REFUSED[name]) as error:
            encode(CHAT, tokenizer)
        assert "chat_template=chatml" in str(error.value)
        return
    pieces = learned(CHAT, tokenizer)
    assert len(pieces) == 3
    for piece, number in zip(pieces, ("ONE", "TWO", "THREE"), strict=True):
        before, found, end = piece.partition(f"ANSWER {number}")
        assert found and END.fullmatch(end), piece
        assert "ANSWER" not in before and "QUESTION" not in piece
        assert "user" not in piece.lower().replace("to=user", "") or name == "glm4moe_training", piece
    assert "".join(tokenizer.decode([i]) for i in encode(CHAT, tokenizer)[0]) in tokenizer.apply_chat_template(
        CHAT, tokenize=False
    )
