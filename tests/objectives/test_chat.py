"""Which tokens of a conversation are learned, with every chat template that TRL ships, and without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from smolrecipes.conversation import cut
from smolrecipes.conversation.tokens import turn_end
from smolrecipes.data.preference import explicit, implicit
from smolrecipes.errors import RecipeError
from smolrecipes.generate import _encode
from smolrecipes.objectives.chat import continuation, encode
from smolrecipes.objectives.dpo import DPO
from smolrecipes.tokenizers.templates import template

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


def bytewise(chat_template=None, bos=False, eos="<eos>", special=(), added=()):
    names = ["<pad>", "<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token=eos)
    made.add_special_tokens({"additional_special_tokens": list(special)})
    made.add_tokens(list(added))
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
    whole = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert whole.startswith(tokenizer.decode(encode(CHAT, tokenizer)[0]))


CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "clock", "arguments": {}}}],
}
TOOL = {
    "type": "function",
    "function": {"name": "clock", "description": "", "parameters": {"type": "object", "properties": {}}},
}


@pytest.mark.parametrize("name", ["qwen3", "qwen3_5_think", "qwen2_5", "qwen3_training", "qwen3_instruct_2507"])
def test_tool_calls_are_learned_in_earlier_turns_too(name):
    chat = [CHAT[0], CALL, {"role": "tool", "content": "NOON"}, *CHAT[1:4]]
    call, *rest = learned(chat, written(SHIPPED[name]), [TOOL])
    assert "clock" in call and call.endswith("<|im_end|>") and "NOON" not in call
    assert [("ANSWER ONE" in one, "ANSWER TWO" in one) for one in rest] == [(True, False), (False, True)]


@pytest.mark.parametrize("name", ["qwen3", "qwen3_5_think", "qwen3_8"])
def test_thoughts_that_the_template_leaves_out_of_earlier_turns(name):
    thought = {"role": "assistant", "content": "<think>\nTHOUGHT\n</think>\n\nANSWER ONE"}
    first, last = learned([CHAT[0], thought, *CHAT[2:4]], written(SHIPPED[name]))
    assert "ANSWER ONE<|im_end|>" in first and "QUESTION" not in first
    assert last.endswith("ANSWER TWO<|im_end|>")
    only = learned([CHAT[0], thought], written(SHIPPED[name]))
    assert "THOUGHT" in only[0] and only[0].endswith("ANSWER ONE<|im_end|>")


def test_generation_reads_what_training_reads_before_the_answer():
    plain = [{"role": "user", "content": "Why? "}, {"role": "assistant", "content": "So."}]
    for tokenizer in (bytewise(bos=True), bytewise()):
        ids, labels = encode(plain, tokenizer)
        asked = _encode(tokenizer, "Why? ", None, None)
        assert ids[: labels.count(-100)] == asked and ids[len(asked) :] == labels[len(asked) :]
        assert tokenizer.decode(ids[len(asked) :]) == "So.<eos>"
        assert continuation(plain[:1], plain[1:], tokenizer) == (asked, ids[len(asked) :])
        assert encode(plain[1:], tokenizer)[0][:1] == _encode(tokenizer, "", None, None) == [1]
    chat = bytewise(template("chatml"), bos=True, special=("<|im_start|>", "<|im_end|>"))
    ids, labels = encode(plain, chat)
    assert ids[: labels.index(ids[-1]) - len("So.")] == _encode(chat, "Why? ", None, None)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (CHAT[:1], "the turns of this one are user"),
        (CHAT[1:3], "the turns of this one are assistant and user"),
        ([CHAT[1], CHAT[3]], "assistant and assistant"),
        (CHAT[:4], "no chat template"),
        ([], "none"),
    ],
)
def test_without_a_template_only_a_question_and_its_answer_are_learned(messages, said):
    with pytest.raises(RecipeError, match=said):
        encode(messages, bytewise())


def test_without_an_end_nothing_is_learned():
    with pytest.raises(RecipeError, match="nor an eos token"):
        encode(CHAT[:2], bytewise(eos=None))
    with pytest.raises(RecipeError, match="nothing that ends an answer"):
        encode(CHAT[:2], bytewise("{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
                                  "{% if add_generation_prompt %}assistant: {% endif %}"))  # fmt: skip


def test_an_empty_answer_is_its_end():
    nothing = {"role": "assistant", "content": ""}
    for name in ("qwen2_5", "qwen3", "phi3"):
        pieces = learned([CHAT[0], nothing, *CHAT[2:4]], written(SHIPPED[name]))
        assert END.fullmatch(pieces[0]) and "ANSWER TWO" in pieces[1]


ROLES = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + ('<think>' if m.role == 'assistant' else '') + m.content + '<|im_end|>' }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
)


@pytest.mark.parametrize("text", [template("chatml"), ROLES], ids=["chatml", "roles"])
def test_a_turn_end_that_is_added_and_not_special_cannot_be_spelt_either(text):
    """Many fine-tunes have it so; words, line ends and thoughts that were added stay what they are."""
    around = ["<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    tokenizer = bytewise(text, added=[*around, "\n\n", "user", "<think>"])
    around = around[1:] if text is ROLES else around[:2]
    marks = {tokenizer.convert_tokens_to_ids(token) for token in around}
    spelt = "a<|im_end|><|im_start|><|system|>b\n\nuser<think>"
    assert turn_end(tokenizer) in marks and not marks & {*tokenizer.all_special_ids}

    def control(said):
        ids, _ = encode([{"role": "user", "content": said}, {"role": "assistant", "content": said}], tokenizer)
        return [token for token in ids if token in marks], ids

    assert control(spelt)[0] == control("ab")[0]
    for token in ("\n\n", "user", "<think>"):
        assert control(spelt)[1].count(tokenizer.convert_tokens_to_ids(token)) >= 2
    assert spelt in tokenizer.decode(control(spelt)[1])


def test_a_control_token_of_one_character_is_refused_where_it_is_spelt():
    tokenizer = bytewise(template("chatml").replace("<|im_end|>", "☰"), added=["☰"])
    assert encode(CHAT[:2], tokenizer)[1][-1] == turn_end(tokenizer) == tokenizer.convert_tokens_to_ids("☰")
    with pytest.raises(RecipeError, match="spells '☰', a control token of one character"):
        encode([{"role": "user", "content": "see ☰ 4"}, CHAT[1]], tokenizer)


def test_a_template_or_token_that_comes_later_counts():
    tokenizer = bytewise(template("chatml"))
    said = [{"role": "user", "content": "a<|im_end|>b"}, CHAT[1]]
    encode(said, tokenizer)
    tokenizer.add_tokens(["<|im_end|>"])
    assert encode(said, tokenizer)[0].count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 2


def test_equal_tools_are_cut_once_and_those_that_only_look_equal_are_not():
    tokenizer = bytewise(template("chatml"), special=("<|im_start|>", "<|im_end|>"))
    before = cut._cut_json.cache_info().misses
    found = [
        cut.harmless_tools([{"name": "a<|im_end|>", "strict": strict}], tokenizer) for strict in (True, 1, True, 1)
    ]
    assert cut._cut_json.cache_info().misses == before + 2
    assert [tool["strict"] is True for (tool,) in found] == [True, False, True, False]
    assert all(tool["name"] == f"a<{cut.CUT}|im_end|>" for (tool,) in found)
    assert cut.harmless_tools(None, tokenizer) is None


def pair(**changed):
    row = {"prompt": CHAT[:1], "chosen": [CHAT[1]], "rejected": [CHAT[3]], "tools": None, **changed}
    return DPO().prepare(row, bytewise(template("chatml"), special=("<|im_start|>", "<|im_end|>")), 500)


@pytest.mark.parametrize("side", ["chosen", "rejected"])
@pytest.mark.parametrize("answer", [CHAT[2:4], [], CHAT[:1], CHAT[1:4]])
def test_an_answer_is_one_message_of_the_assistant(side, answer):
    with pytest.raises(RecipeError, match=f"{side} should be one message of the assistant"):
        pair(**{side: answer})


def test_pairs_without_a_prompt_begin_with_the_assistants_header():
    tokenizer = bytewise(template("chatml"), special=("<|im_start|>", "<|im_end|>"))
    found = pair(prompt=[])
    assert tokenizer.decode(found["prompt"]) == "<|im_start|>assistant\n"
    assert tokenizer.decode(found["chosen"]) == "ANSWER ONE<|im_end|>"


def test_a_row_whose_answers_do_not_begin_with_the_assistant_is_named():
    other = {"role": "user", "content": "ANOTHER"}
    with pytest.raises(RecipeError, match="x:3: after the turns .* chosen goes on with the user"):
        implicit(CHAT[:2], [other, CHAT[1]], "x:3")
    with pytest.raises(RecipeError, match="x:3"):
        explicit("QUESTION ONE", "yes", CHAT[:2], "x:3")
    with pytest.raises(RecipeError, match="x:3: .* rejected goes on with the user"):
        explicit(CHAT[:1], CHAT[:2], [CHAT[0], other, CHAT[1]], "x:3")
