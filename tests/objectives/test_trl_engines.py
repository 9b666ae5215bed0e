"""TRL's trainers behind our objectives: they take our tokens and the recipe's options, train, evaluate and save."""

from __future__ import annotations

import dataclasses
import inspect
import math
import warnings
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset, Features, Json, List, Value
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    TrainingArguments,
)

from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Layout, Parts
from smolrecipes.objectives.dpo import DPO
from smolrecipes.objectives.grpo import GRPO, exact_match, numeric_match
from smolrecipes.objectives.kto import KTO, unpaired
from smolrecipes.objectives.orpo import ORPO
from smolrecipes.objectives.reward import Reward
from smolrecipes.objectives.sft import SFT
from smolrecipes.objectives.trl import whole_batches
from smolrecipes.prepare import _examples

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


def byte_tokenizer():
    """Every byte is a token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<pad>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = CHATML
    return tokenizer


def tiny(cls=LlamaForCausalLM, tokenizer=None, **more):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    return cls(LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=2, **sizes, **ends, **more))


def said(role, text):
    return {"role": role, "content": text}


def rows(kind):
    """Canonical rows with the features that data has."""
    json = {name: Json() for name in ("messages", "prompt", "chosen", "rejected", "tools")}
    asked = [[said("user", f"say {word}")] for word in WORDS]
    good = [[said("assistant", word)] for word in WORDS]
    bad = [[said("assistant", word[::-1] + "!")] for word in WORDS]
    columns = {
        "messages": {"messages": [q + a for q, a in zip(asked, good, strict=True)], "tools": [None] * 10},
        "preference": {"prompt": asked, "chosen": good, "rejected": bad, "tools": [None] * 10},
        "judged": {"prompt": asked, "completion": good[:5] + bad[5:], "label": [True] * 5 + [False] * 5},
        "pair": {"source": [f"say {w}" for w in WORDS], "target": WORDS},
    }[kind]
    columns["origin"] = [f"rows.jsonl:{i + 1}" for i in range(10)]
    if kind == "judged":
        columns["tools"] = [None] * 10
    features = {name: json.get(name, Value("bool" if name == "label" else "string")) for name in columns}
    for name in {"messages", "prompt", "chosen", "rejected", "completion"} & set(columns):
        features[name] = List(Json())
    return Dataset.from_dict(columns, features=Features(features))


def options(folder, **more):
    """What a recipe decides, as it is handed to an objective."""
    plain = {"output_dir": str(folder), "learning_rate": 1e-2, "seed": 3, "report_to": "none", "disable_tqdm": True}
    plain |= {"gradient_checkpointing": False, "use_cpu": True, "remove_unused_columns": False, "logging_steps": 1}
    return {**plain, "lr_scheduler_type": "constant", "logging_nan_inf_filter": False, **more}


def ready(objective, folder, *, adapter=False, max_length=96, kind="", **more):
    """The objective's trainer on 10 rows, with batches set afterwards as a recipe's are; and its parts."""
    tokenizer = byte_tokenizer()
    if objective.head == "causal":
        model = tiny(tokenizer=tokenizer)
    else:
        model = tiny(LlamaForSequenceClassification, tokenizer, num_labels=1)
    if adapter:
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    arguments = objective.arguments(options(folder, **more))
    arguments.per_device_train_batch_size = arguments.per_device_eval_batch_size = 2
    arguments.gradient_accumulation_steps, arguments.max_steps, arguments.save_steps = 2, 3, 3
    loaded = rows(kind or objective.rows[0])
    examples = _examples(loaded, objective, tokenizer, max_length)
    parts = Parts(
        model=model,
        arguments=arguments,
        tokenizer=tokenizer,
        train_rows=loaded,
        validation_rows=loaded,
        train=examples,
        validation=examples.select(range(4)),
        callbacks=[],
        batch=4,
        max_length=max_length,
        seed=3,
        batch_tokens=None,
        layout=Layout(),
    )
    return objective.trainer(parts), parts


def reward_short(completions, **rest):
    """A reward of one's own, with TRL's signature."""
    return [-float(len(answer[0]["content"])) for answer in completions]


ENGINES = {
    "sft": SFT(engine="trl"),
    "dpo": DPO(engine="trl", beta=0.3),
    "dpo-ipo": DPO(engine="trl", variant="ipo"),
    "orpo": ORPO(engine="trl", learn="prompt+answer", beta=0.2),
    "kto": KTO(beta=0.3, desirable_weight=1.5),
    "reward": Reward(center=0.01),
    "grpo": GRPO(max_new_tokens=4, reward=f"{__name__}:reward_short"),
}


@pytest.mark.parametrize("name", ENGINES)
def test_it_trains_evaluates_and_saves(name, tmp_path, monkeypatch):
    objective = ENGINES[name]
    if name == "grpo":
        monkeypatch.setattr(GRPO, "function", lambda self: reward_short)
    trainer, parts = ready(objective, tmp_path)
    assert type(trainer).__module__ != "smolrecipes.trainer" and type(trainer).__name__.endswith("Trainer")
    start = {n: p.detach().clone() for n, p in parts.model.named_parameters()}
    before = trainer.evaluate()
    trainer.train()
    after = trainer.evaluate()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 3 and all(map(math.isfinite, [*losses, before["eval_loss"], after["eval_loss"]]))
    assert all((p.detach() - start[n]).abs().max() > 0 for n, p in parts.model.named_parameters())
    assert (tmp_path / "checkpoint-3" / "model.safetensors").exists()
    if name == "grpo":
        assert any("reward" in entry for entry in trainer.state.log_history)
    elif name != "kto":  # its KL estimate of four rows is noise
        assert after["eval_loss"] < before["eval_loss"]


@pytest.mark.parametrize("name", ["sft", "dpo", "orpo", "kto"])
def test_an_adapter_alone_is_trained_and_saved(name, tmp_path):
    trainer, parts = ready(ENGINES[name], tmp_path, adapter=True)
    assert isinstance(trainer.model, PeftModel) and list(trainer.model.peft_config) == ["default"]
    start = {n: p.detach().clone() for n, p in parts.model.named_parameters()}
    trainer.train()
    moved = {n for n, p in parts.model.named_parameters() if (p.detach() - start[n]).abs().max() > 0}
    assert moved == {n for n in start if "lora_" in n}
    assert (tmp_path / "checkpoint-3" / "adapter_model.safetensors").exists()
    assert not (tmp_path / "checkpoint-3" / "ref").exists()


@pytest.mark.parametrize("name", ["sft", "dpo", "orpo", "reward"])
def test_the_tokens_are_ours(name, tmp_path):
    trainer, parts = ready(ENGINES[name], tmp_path)
    batch = next(iter(trainer.get_eval_dataloader()))
    first = parts.validation[0]
    if name == "sft":
        shown, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
        assert shown[: len(first["input_ids"])] == first["input_ids"] and labels[: len(shown)] == first["labels"] + [
            -100
        ] * (len(shown) - len(first["labels"]))
        return
    whole = first["prompt"] + first["chosen"]
    assert batch["chosen_input_ids" if name == "orpo" else "input_ids"][0].tolist()[: len(whole)] == whole
    assert len(trainer.train_dataset) == len(parts.train)


def test_before_the_first_step_dpo_is_at_log_2(tmp_path):
    """The reference is the model itself: with an adapter switched off, without one computed beforehand."""
    for adapter in (False, True):
        trainer, _ = ready(DPO(engine="trl"), tmp_path / str(adapter), adapter=adapter)
        assert trainer.evaluate()["eval_loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_trl_too_computes_the_reference_beforehand_where_it_is_asked_to(tmp_path):
    for asked in (False, True):
        trainer, _ = ready(DPO(engine="trl", precompute_ref_log_probs=asked), tmp_path / str(asked), adapter=True)
        assert trainer.args.precompute_ref_log_probs is asked


def test_the_recipe_decides_not_trls_defaults(tmp_path):
    for objective in ENGINES.values():
        arguments = objective.arguments({"output_dir": str(tmp_path), "use_cpu": True})
        plain = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
        differ = {
            field.name
            for field in dataclasses.fields(TrainingArguments)
            if getattr(arguments, field.name) != getattr(plain, field.name)
        }
        assert differ <= {
            "remove_unused_columns",
            "train_sampling_strategy",
            "gradient_accumulation_steps",
            "per_device_eval_batch_size",
            "accelerator_config",
        }
        assert not arguments.bf16 and not arguments.gradient_checkpointing and arguments.learning_rate == 5e-5
        assert not getattr(arguments, "disable_dropout", False)  # an adapter's dropout is the recipe's


def test_the_reference_of_an_adapter_draws_no_dropout(tmp_path):
    trainer, _ = ready(DPO(engine="trl"), tmp_path, adapter=True)
    model = trainer.model
    model.get_base_model().model.layers[0].mlp.register_forward_hook(
        lambda module, args, output: torch.nn.functional.dropout(output, 0.5, training=module.training)
    )
    ids = torch.arange(20)[None]
    model.train()
    assert not torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)
    with model.disable_adapter():
        assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)
    assert model.training and not torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)


def test_unknown_and_contradicting_options_are_sentences(tmp_path):
    with pytest.raises(RecipeError, match="no option 'lerning_rate'; did you mean 'learning_rate'"):
        SFT(engine="trl").arguments(options(tmp_path, lerning_rate=1))
    with pytest.raises(RecipeError, match=r"training.hf.beta: the objective decides it \(0.3\)"):
        DPO(engine="trl", beta=0.3).arguments(options(tmp_path, beta=0.5))
    with pytest.raises(RecipeError, match="DPOConfig refuses these options"):
        DPO(engine="trl").arguments(options(tmp_path, lr_scheduler_type="bended"))


def test_what_trl_cannot_do_is_a_sentence(tmp_path):
    with pytest.raises(RecipeError, match=r"take objective.learn=prompt\+answer"):
        ORPO(engine="trl").arguments(options(tmp_path))


def test_kto_takes_each_answer_once_and_mismatches_its_neighbours():
    pairs = Dataset.from_dict({n: [[i, k] for i in range(5)] for k, n in enumerate(("prompt", "chosen", "rejected"))})
    made = unpaired(pairs, 4)
    answers = sorted((tuple(row["completion_ids"]), row["label"]) for row in made)
    assert answers == sorted([((i, 1), True) for i in range(5)] + [((i, 2), False) for i in range(5)])
    assert all(row["completion_ids"][0] == row["prompt_ids"][0] for row in made)
    assert all(row["KL_completion_ids"][0] != row["prompt_ids"][0] for row in made)
    assert [row["label"] for row in made][:4] == [True, False, True, False]


def test_kto_learns_from_answers_judged_singly(tmp_path):
    trainer, parts = ready(KTO(beta=0.3), tmp_path, kind="judged")
    seen = list(trainer.train_dataset)
    text = parts.tokenizer.decode
    judged = {(text(row["prompt_ids"]), text(row["completion_ids"])): row["label"] for row in seen}
    opening = "<|im_start|>user\nsay {}<|im_end|>\n<|im_start|>assistant\n"
    expected = {(opening.format(word), f"{word}<|im_end|>"): True for word in WORDS[:5]}
    assert judged == expected | {(opening.format(word), f"{word[::-1]}!<|im_end|>"): False for word in WORDS[5:]}
    answers = [row["completion_ids"] for row in seen]
    assert [row["KL_completion_ids"] for row in seen] == [answers[k ^ 1] for k in range(10)], "in micro-batches of 2"
    assert trainer.args.per_device_train_batch_size * trainer.args.gradient_accumulation_steps == 4, "rows are answers"
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 3 and all(map(math.isfinite, losses))
    cut = KTO().prepare(rows("judged")[0], parts.tokenizer, 28)
    assert len(cut["input_ids"]) == 28 and cut["cut"] == 2
    assert KTO().prepare(rows("judged")[0], parts.tokenizer, cut["asked"]) is None


def test_kto_says_what_it_cannot_learn_from(tmp_path):
    with pytest.raises(RecipeError, match="good and bad answers, and every label is true"):
        KTO()._check_balance([True] * 4)
    with pytest.warns(UserWarning, match=r"9 good and 1 bad answers; objective\.undesirable_weight=9 would"):
        KTO()._check_balance([True] * 9 + [False])
    with pytest.warns(UserWarning, match=r"objective\.desirable_weight=3 would weigh them alike"):
        KTO()._check_balance([True] + [False] * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KTO(undesirable_weight=9)._check_balance([True] * 9 + [False])
        KTO()._check_balance([True] * 4 + [False] * 3)
    two = {**rows("judged")[0], "completion": [said("user", "no"), said("assistant", "yes")]}
    with pytest.raises(RecipeError, match="completion should be one message of the assistant, and it is user, assist"):
        KTO().prepare(two, byte_tokenizer(), 99)


def test_kto_needs_two_answers_at_a_time(tmp_path, monkeypatch):
    def one(parts):
        parts.arguments.per_device_train_batch_size = 1
        return parts.arguments

    monkeypatch.setattr("smolrecipes.objectives.trl.whole_batches", one)
    with pytest.raises(RecipeError, match=r"needs two or more at a time; take an even number"):
        ready(KTO(), tmp_path, kind="judged")


def test_batches_count_pairs_and_questions(tmp_path):
    kto, _ = ready(KTO(), tmp_path / "kto")
    assert kto.args.per_device_train_batch_size * kto.args.gradient_accumulation_steps == 2 * 4
    grpo, _ = ready(GRPO(generations=3), tmp_path / "grpo")
    assert grpo.args.generation_batch_size == 3 * 4 and grpo.args.per_device_eval_batch_size == 3
    groups = [question["prompt"][0]["content"] for batch in grpo.get_train_dataloader() for question in batch]
    assert len(groups) % 12 == 0 and all(len(set(groups[i : i + 3])) == 1 for i in range(0, 12, 3))


def test_a_batch_is_the_recipes_whatever_the_micro_batch(tmp_path):
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    for batch, most, want in ((10, 4, (2, 5)), (12, 5, (4, 3)), (7, 4, (1, 7)), (4, 16, (4, 1))):
        arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps = most, -(-batch // most)
        whole_batches(SimpleNamespace(arguments=arguments, batch=batch))
        assert (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps) == want
    with pytest.raises(RecipeError, match="7 is no multiple of 2 processes"):
        whole_batches(SimpleNamespace(arguments=SimpleNamespace(world_size=2), batch=7))


def test_rewards_built_in():
    chat = [[said("assistant", " four\n")], [said("assistant", "4")]]
    assert exact_match(completions=chat, target=["four", "four"]) == [1.0, 0.0]
    assert exact_match(completions=["four "], target=[" four"], prompts=[""]) == [1.0]
    texts = ["so it is 1,024.", "3 apples, -7 pears", "none", "5 then 6", "2.50"]
    assert numeric_match(completions=texts, target=["#### 1024", "-7", "no number", "5", "2.5"]) == [1, 1, 0, 0, 1]


def test_a_wrong_reward_is_a_sentence():
    with pytest.raises(RecipeError, match="did you mean 'exact_match'"):
        GRPO(reward="exact_mach")
    with pytest.raises(RecipeError, match="cannot be imported: No module named 'nowhere'"):
        GRPO(reward="nowhere:score").function()
    with pytest.raises(RecipeError, match=r"cannot be imported: .*'lenght'"):
        GRPO(reward="builtins:lenght").function()


def test_the_code_of_a_reward_is_part_of_the_recipe(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    prints = set()
    for name, body in (("score_a", "return [0.0]"), ("score_b", "return [1.0]")):
        (tmp_path / f"{name}.py").write_text(f"def score(completions, **rest):\n    {body}\n")
        prints.add(GRPO(reward=f"{name}:score").identity()["code"])
    assert len(prints) == 2 and "code" not in GRPO().identity()


def test_grpo_says_when_there_are_fewer_questions_than_a_batch(tmp_path):
    _, parts = ready(GRPO(max_new_tokens=4), tmp_path)
    with pytest.raises(RecipeError, match="10 are fewer than 16"):
        GRPO(max_new_tokens=4).trainer(dataclasses.replace(parts, batch=16))


def test_grpo_drops_questions_that_leave_no_room_for_an_answer():
    tokenizer = byte_tokenizer()
    row = rows("pair")[0]
    size = len(GRPO(max_new_tokens=4).prepare(row, tokenizer, 512)["input_ids"])
    assert GRPO(max_new_tokens=4).prepare(row, tokenizer, size + 4) is not None
    assert GRPO(max_new_tokens=5).prepare(row, tokenizer, size + 4) is None


def test_the_non_public_methods_that_we_replace_are_still_there():
    from trl import DPOTrainer, KTOTrainer

    for trainer in (DPOTrainer, KTOTrainer):
        names = list(inspect.signature(trainer._prepare_dataset).parameters)
        assert names == ["self", "dataset", "processing_class", "args", "dataset_name"]
    from trl.experimental.orpo import ORPOTrainer

    assert list(inspect.signature(ORPOTrainer.tokenize_row).parameters) == ["self", "feature", "model"]
