"""generate and stream: the answer and nothing else, and nothing changed by asking for it."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    XLNetConfig,
    XLNetLMHeadModel,
)

from smolrecipes.conversation.tokens import turn_end
from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError
from smolrecipes.generate import generate, stream

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if tools %}{{ tools[0]['name'] }}{% endif %}{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)
PROMPTS = ["w1", "w2 w3 w4 w5 w6", "w7 w8", "w9 w1 w2 w3 w4 w5 w6 w7"]


def words(chat=False):
    vocabulary = {
        word: i
        for i, word in enumerate(["<pad>", "</s>", "user", "assistant", "system", *(f"w{i}" for i in range(35))])
    }
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    if chat:
        made.chat_template = CHATML
    return made


def llama(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=42, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, attention_dropout=dropout, initializer_range=0.4, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=42, n_embd=32, n_layer=2, n_head=4, n_positions=32, initializer_range=0.4)
    )


def by_hand(model, ids, new, stops):
    """Greedy decoding without a cache, a batch or generate()."""
    model.eval()
    start = len(ids)
    for _ in range(new):
        with torch.no_grad():
            ids = [*ids, int(model(torch.tensor([ids])).logits[0, -1].argmax())]
        if ids[-1] in stops:
            break
    return ids[start:]


@pytest.mark.parametrize("make", [llama, gpt2])
def test_batched_equals_alone_equals_by_hand(make):
    model, tokenizer, decoding = make(), words(), Decoding(max_new_tokens=12)
    together = generate(model, tokenizer, PROMPTS, decoding)
    assert together == [generate(model, tokenizer, [prompt], decoding)[0] for prompt in PROMPTS]
    for prompt, answer in zip(PROMPTS, together, strict=True):
        ids = by_hand(model, tokenizer(prompt)["input_ids"], 12, {1})
        assert answer == tokenizer.decode(ids, skip_special_tokens=True)
    assert len(set(together)) == 4  # else equality shows little


def test_more_prompts_than_a_batch():
    many = [f"w{i % 30} w{i % 7}" for i in range(37)]
    together = generate(llama(), words(), many, Decoding(max_new_tokens=3))
    assert together == [generate(llama(), words(), [prompt], Decoding(max_new_tokens=3))[0] for prompt in many]


def test_no_hidden_default_leaks_in():
    """transformers' top_k of 50 is beyond this vocabulary; the model's own settings are made hostile instead."""
    model, tokenizer = llama(), words()
    free = generate(model, tokenizer, PROMPTS, Decoding(max_new_tokens=8))
    model.generation_config = GenerationConfig(
        repetition_penalty=9.0, no_repeat_ngram_size=1, max_length=3, num_beams=3, suppress_tokens=list(range(5, 30))
    )
    assert generate(model, tokenizer, PROMPTS, Decoding(max_new_tokens=8)) == free
    assert model.generation_config.num_beams == 3


def test_sampling_reaches_beyond_fifty_tokens():
    config = LlamaConfig(vocab_size=600, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    torch.manual_seed(0)
    model, tokenizer, seen = LlamaForCausalLM(config), words(), set()  # untrained: all 600 are about equally likely
    original = tokenizer.batch_decode
    tokenizer.batch_decode = lambda ids, **k: seen.update(ids.flatten().tolist()) or original(ids % 42, **k)
    generate(model, tokenizer, ["w1"] * 400, Decoding(temperature=1.0, max_new_tokens=1))
    assert len(seen) > 200  # 50, if transformers' own default held
    seen.clear()
    generate(model, tokenizer, ["w1"] * 400, Decoding(temperature=1.0, max_new_tokens=1, top_k=5))
    assert len(seen) == 5


def test_temperature_samples_and_zero_does_not():
    model, tokenizer = llama(), words()
    drawn = set()
    for seed in range(5):
        torch.manual_seed(seed)
        drawn.add(generate(model, tokenizer, ["w1"], Decoding(temperature=2.0, max_new_tokens=8))[0])
    assert len(drawn) > 1
    assert len({generate(model, tokenizer, ["w1"], Decoding(max_new_tokens=8))[0] for _ in range(3)}) == 1


def test_asking_changes_nothing():
    model, tokenizer = llama(dropout=0.5).train(), words()
    model.model.layers[0].eval()  # a part that someone keeps frozen in evaluation mode
    modes = [module.training for module in model.modules()]
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    first = generate(model, tokenizer, ["w1 w2"], Decoding(temperature=1.0, max_new_tokens=8))
    "".join(stream(model, tokenizer, "w1 w2", Decoding(temperature=1.0, max_new_tokens=8)))
    assert torch.equal(torch.rand(4), expected)
    assert [module.training for module in model.modules()] == modes
    torch.manual_seed(3)
    assert generate(model, tokenizer, ["w1 w2"], Decoding(temperature=1.0, max_new_tokens=8)) == first
    assert all(weight.grad is None for weight in model.parameters())


def test_a_string_is_a_users_message_where_there_is_a_template():
    model, tokenizer = llama(), words(chat=True)
    said = [{"role": "user", "content": "w1 w2"}]
    answer = generate(model, tokenizer, ["w1 w2", said])
    text = "<|im_start|>user w1 w2<|im_end|><|im_start|>assistant "
    ids = by_hand(model, tokenizer(text, add_special_tokens=False)["input_ids"], 64 - 6, {1, 41})
    assert answer[0] == answer[1] == tokenizer.decode(ids, skip_special_tokens=True)
    assert generate(model, tokenizer, [said], system="w9") == generate(
        model, tokenizer, [[{"role": "system", "content": "w9"}, *said]], system="w3"
    )
    assert generate(model, tokenizer, [said], system="w9") != answer[:1]
    assert generate(model, tokenizer, [said], tools=[{"name": "w30"}]) != answer[:1]


def test_it_stops_at_the_end_of_the_turn():
    model, tokenizer = llama(), words(chat=True)
    assert turn_end(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>") == 41
    assert turn_end(words()) is None
    plain = generate(model, tokenizer, ["w1"], Decoding(max_new_tokens=8))[0].split()
    assert len(plain) > 3
    # The word that comes third is now what ends a turn.
    tokenizer.chat_template = CHATML.replace("<|im_end|>{% endfor %}", "<|im_end|>{% endfor %}")
    weight = model.lm_head.weight
    third = tokenizer.convert_tokens_to_ids(plain[2])
    with torch.no_grad():
        weight[[third, 41]] = weight[[41, third]]
    assert generate(model, tokenizer, ["w1"], Decoding(max_new_tokens=8))[0].split() == plain[:2]


def test_what_cannot_be_asked_is_a_sentence():
    model, tokenizer = gpt2(), words()
    with pytest.raises(RecipeError, match="has no chat template"):
        generate(model, tokenizer, [[{"role": "user", "content": "w1"}]])
    with pytest.raises(RecipeError, match="the prompt has 32 tokens, and the model reads 32 at most"):
        generate(model, tokenizer, ["w1 " * 32])
    assert generate(model, tokenizer, []) == []
    assert isinstance(generate(model, tokenizer, [""])[0], str)


def test_an_answer_ends_where_the_positions_end():
    model, tokenizer = gpt2(), words()
    short, long = generate(model, tokenizer, ["w1", "w2 " * 28], Decoding(max_new_tokens=16))
    assert long == tokenizer.decode(by_hand(model, [7] * 28, 4, {1}), skip_special_tokens=True)
    assert short == generate(model, tokenizer, ["w1"], Decoding(max_new_tokens=16))[0]  # not cut by its neighbour


def test_a_stream_is_the_answer_in_pieces():
    model, tokenizer = llama(), words(chat=True)
    pieces = list(stream(model, tokenizer, [{"role": "user", "content": "w1 w2"}], Decoding(max_new_tokens=12)))
    assert len(pieces) > 2
    assert "".join(pieces) == generate(model, tokenizer, ["w1 w2"], Decoding(max_new_tokens=12))[0]


def test_a_failure_while_streaming_is_raised():
    model, tokenizer = llama(), words()

    def fail(*args, **kwargs):
        raise FloatingPointError("as it happens")

    model.model.layers[1].register_forward_hook(fail)
    with pytest.raises(FloatingPointError, match="as it happens"):
        list(stream(model, tokenizer, "w1"))


def test_giving_up_a_stream_stops_the_writing():
    model, tokenizer = llama(), words()
    steps = []
    model.register_forward_hook(lambda *_: steps.append(1))
    reading = stream(model, tokenizer, "w1", Decoding(max_new_tokens=60))
    next(reading)
    reading.close()  # waits for the writer
    count = len(steps)
    assert count < 60 and len(steps) == count
    assert model.training  # restored, too


def test_an_adapter_generates_too():
    from smolrecipes.adapters.lora import LoRA

    tokenizer = words()
    plain = generate(llama(), tokenizer, PROMPTS, Decoding(max_new_tokens=6))
    adapted = LoRA(r=2).apply(llama(), tokenizer)
    adapted.base_model.model.generation_config.repetition_penalty = 5.0
    assert generate(adapted, tokenizer, PROMPTS, Decoding(max_new_tokens=6)) == plain


def test_an_encoder_is_padded_on_the_right():
    """BART counts its positions from the first column, so that padding on the left would move them."""
    torch.manual_seed(3)
    config = BartConfig(
        vocab_size=42, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=32, init_std=0.8, pad_token_id=0, bos_token_id=None,
        eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=None,
    )  # fmt: skip
    model, greedy = BartForConditionalGeneration(config).eval(), Decoding(temperature=0, max_new_tokens=8)
    together = generate(model, words(), PROMPTS, greedy)
    assert together == [generate(model, words(), [prompt], greedy)[0] for prompt in PROMPTS]
    assert len(set(together)) > 1


def test_what_forgets_its_padding_answers_alone():
    torch.manual_seed(0)
    config = XLNetConfig(
        vocab_size=42, d_model=16, n_layer=1, n_head=2, d_inner=32, attn_type="uni", initializer_range=0.8, dropout=0,
        pad_token_id=0, bos_token_id=None, eos_token_id=1, mem_len=None,
    )  # fmt: skip
    model, greedy = XLNetLMHeadModel(config).eval(), Decoding(temperature=0, max_new_tokens=6)
    together = generate(model, words(), PROMPTS, greedy)
    assert together == [generate(model, words(), [prompt], greedy)[0] for prompt in PROMPTS]


@pytest.mark.parametrize("guess", [{"prompt_lookup": 3}, {"assistant": "small"}])
def test_guessed_tokens_change_nothing(guess, tmp_path):
    model, tokenizer = llama(), words()
    if "assistant" in guess:
        guess = {"assistant": str(tmp_path)}
        llama(seed=1).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
    plain = generate(model, tokenizer, PROMPTS, Decoding(max_new_tokens=12))
    assert generate(model, tokenizer, PROMPTS, Decoding(max_new_tokens=12, **guess)) == plain
    assert list(stream(model, tokenizer, PROMPTS[1], Decoding(max_new_tokens=12, **guess)))


def test_an_assistant_with_other_tokens_is_refused(tmp_path):
    other = words()
    other.add_tokens(["another"])
    other.save_pretrained(tmp_path)
    llama(seed=1).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="the tokenizer of .* is not the model's"):
        generate(llama(), words(), PROMPTS, Decoding(assistant=str(tmp_path)))


def test_beams_find_likelier_texts_than_greed():
    model, tokenizer = llama(), words()

    def logp(prompt, answer):
        ids = torch.tensor([tokenizer(f"{prompt} {answer}")["input_ids"]])
        with torch.no_grad():
            logps = model.eval()(ids).logits.log_softmax(-1)[0, :-1].gather(-1, ids[0, 1:, None]).squeeze(-1)
        return float(logps[len(prompt.split()) - 1 :].sum())

    greedy, wide = (
        generate(model, tokenizer, PROMPTS, Decoding(max_new_tokens=6, beams=n, **more))
        for n, more in ((1, {}), (8, {"length_penalty": 0.0}))
    )
    gains = [logp(p, b) - logp(p, a) for p, a, b in zip(PROMPTS, greedy, wide) if len(a.split()) == len(b.split()) == 6]
    assert gains and min(gains) >= -1e-4 and max(gains) > 0.1
    assert (
        "".join(stream(model, tokenizer, PROMPTS[0], Decoding(max_new_tokens=6, beams=8, length_penalty=0.0)))
        == wide[0]
    )


def test_no_run_of_tokens_is_written_twice():
    (said,) = generate(llama(), words(), ["w1"], Decoding(max_new_tokens=25, no_repeat_ngram=2))
    found = ["w1", *said.split()]
    pairs = list(zip(found, found[1:]))
    assert len(set(pairs)) == len(pairs) > 10


@pytest.mark.parametrize(("options", "kept"), [({"top_k": 3}, 3), ({"min_p": 0.5}, None), ({"top_p": 0.3}, None), ({"typical_p": 0.3}, None)])  # fmt: skip
def test_sampling_is_held_to_its_set(options, kept):
    model, tokenizer = llama(), words()
    with torch.no_grad():
        shares = model.eval()(torch.tensor([tokenizer("w1")["input_ids"]])).logits[0, -1].softmax(-1)
    seen = set()
    original = tokenizer.batch_decode
    tokenizer.batch_decode = lambda ids, **k: seen.update(ids.flatten().tolist()) or original(ids, **k)
    generate(model, tokenizer, ["w1"] * 300, Decoding(temperature=1.0, max_new_tokens=1, **options))
    expected = kept or int((shares >= 0.5 * shares.max()).sum()) if "min_p" in options or kept else None
    assert len(seen) == expected if expected else 1 <= len(seen) < 35
    assert len(seen) < int((shares > 1 / 300).sum())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top_p": 0.9}, "top_p is for sampling, and temperature=0 does not"),
        ({"min_p": 0.1}, "min_p is for sampling"),
        ({"length_penalty": 2.0}, "length_penalty is for beam search"),
        ({"beams": 2, "prompt_lookup": 2}, "give prompt_lookup or beams, not both"),
        ({"assistant": "x", "prompt_lookup": 2}, "give prompt_lookup or assistant, not both"),
    ],
)
def test_an_option_that_would_not_be_used_is_refused(options, said):
    with pytest.raises(RecipeError, match=said):
        Decoding(**options)
