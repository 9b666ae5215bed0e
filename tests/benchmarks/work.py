"""What every competitor of a case trains: weights, tokenizer and rows in a folder, and the recipe for them."""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cases import BLOCKS, CORRELATION, ENCODERS, LENGTHS, Case

CHATML = "{% for m in messages %}{{ '<s> ' + m.role + ' ' + m.content + ' </s>' }}{% endfor %}"
PROMPT = "{% if add_generation_prompt %}{{ '<s> assistant ' }}{% endif %}"


def prepare(case: Case, folder: Path) -> dict[str, Any]:
    """Writes the work of a case and returns what is known of it; the rows are tokenised here, once for everyone."""
    needed = (case.steps + case.warm + 1) * case.batch
    rows = list(read(case, max(needed, case.rows)) if case.data else generated(case, max(needed, case.rows)))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    weights(case, folder)
    began = time.perf_counter()
    trainer = recipe(case, folder).trainer(runs=folder / "runs")
    seconds = time.perf_counter() - began
    from smolrecipes.examples import lengths

    examples, sampler = trainer.train_dataset, trainer.get_train_dataloader().batch_sampler
    order = [row for batch in sampler for row in batch][: needed - case.batch]
    if len(order) < needed - case.batch:
        raise ValueError(f"{case.name} takes {needed - case.batch} rows, and {len(order)} can be learned from")
    examples.select(order).save_to_disk(folder / "examples")
    sequences = 2 if "chosen" in examples.column_names else 0 if case.objective in ENCODERS else 1
    sizes = [int(lengths(examples)[row]) - sequences for row in order]  # the last token a decoder reads is only a label
    tokens = [sum(sizes[start : start + case.batch]) for start in range(0, len(sizes), case.batch)]
    accumulation = trainer.args.gradient_accumulation_steps
    facts = {"order": order, "tokens": tokens, "accumulation": accumulation, "prepare_seconds": round(seconds, 3)}
    (folder / "facts.json").write_text(json.dumps(facts))
    return facts


def recipe(case: Case, folder: Path, engine: str = "smolrecipes", **options: Any) -> Any:
    """The recipe of a case, as short as a user would write it, with further options of Training, or another adapter.
    ORPO's supervised term covers what TRL's does."""
    from smolrecipes import CLM, DPO, MLM, ORPO, SFT, Classification, Files, LoRA, Pretrained, QLoRA, Recipe, Training

    adapter = {"": None, "lora": LoRA, "qlora": QLoRA}[options.pop("adapter", "lora" if case.lora else "")]

    objective = {
        "clm": lambda: CLM(),
        "mlm": lambda: MLM(),
        "classification": lambda: Classification(labels=("0", "1")),
        "sft": lambda: SFT(engine=engine),
        "dpo": lambda: DPO(engine=engine),
        "orpo": lambda: ORPO(engine=engine, learn="prompt+answer"),
    }[case.objective]
    return Recipe(
        model=Pretrained(str(folder / "base")),
        data=Files(str(folder / "rows.jsonl")),
        validation=0,
        objective=objective(),
        adapter=adapter(r=8) if adapter else None,
        training=Training(
            steps=case.steps + case.warm,
            global_batch_size=case.batch,
            max_length=case.max_length,
            micro_batch_size=case.micro or None,
            device=case.device,
            log_every=case.log,
            threads=int(os.environ.get("OMP_NUM_THREADS", 0)) or None,
            save_every=10_000,
            **options,
        ),
    )


def read(case: Case, count: int) -> Iterator[dict[str, Any]]:
    """`count` rows of a file of one's own, drawn at random, again and again where it has fewer."""
    lines = Path(case.data).read_text(encoding="utf-8").splitlines()
    draw = random.Random(0)
    while count > 0:
        for line in draw.sample(lines, min(count, len(lines))):
            yield json.loads(line)
        count -= len(lines)


def generated(case: Case, count: int) -> Iterator[dict[str, Any]]:
    """Rows of words that are one token each, as long as GSM8K's times `stretch`; documents, for blocks of text."""
    draw = random.Random(0)
    words = case.shape.vocabulary - len(special())
    kind = case.objective if case.objective in LENGTHS else "pairs"
    made = 0
    enough = count * (case.max_length if kind in BLOCKS else 1)
    while made <= enough:
        shared = draw.gauss(0, math.sqrt(CORRELATION))
        row = {}
        for part, (mean, deviation) in LENGTHS[kind].items():
            wide = shared + draw.gauss(0, math.sqrt(1 - CORRELATION))
            size = max(4, round(case.stretch * math.exp(mean + deviation * wide)) - (3 if part != "text" else 1))
            size = min(size, case.max_length // 2 - 8) if part != "text" else size
            row[part] = " ".join(f"w{draw.randrange(words)}" for _ in range(size))
            made += size if kind in BLOCKS else 0
        if kind == "sft":
            row = {"user": row["prompt"], "assistant": row["answer"]}
        yield row | {"label": made % 2} if kind == "classification" else row
        made += kind not in BLOCKS


def special() -> list[str]:
    """The tokens beside the words."""
    return ["<pad>", "<s>", "</s>", "<unk>", "<mask>", "user", "assistant"]


def weights(case: Case, folder: Path) -> None:
    """A model folder: random weights, and a tokenizer of whole words, or one learned from the rows of one's own."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

    from smolrecipes import ByteBPE, Files

    torch.manual_seed(0)
    size = case.shape
    learned = ByteBPE(Files(str(folder / "rows.jsonl")), vocab_size=min(8192, size.vocabulary))
    tokenizer = learned.build(None) if case.data else whole_words(size.vocabulary, case.objective in ENCODERS)
    sizes: dict[str, Any] = {
        "vocab_size": size.vocabulary, "hidden_size": size.hidden, "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads, "intermediate_size": size.ffn, "tie_word_embeddings": True,
        "pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    if case.objective in ENCODERS:
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        made: Any = BertForMaskedLM(BertConfig(**sizes, **still, max_position_embeddings=case.max_length))
    else:
        config = LlamaConfig(**sizes, num_key_value_heads=size.kv_heads, max_position_embeddings=8192)
        made = LlamaForCausalLM(config)
    made.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")


def whole_words(vocabulary: int, encoder: bool) -> Any:
    """A tokenizer for which w0, w1, ... are one token each."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [*special(), *(f"w{n}" for n in range(vocabulary - len(special())))]
    made = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if encoder:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
        named |= {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **named, chat_template=CHATML + PROMPT)


def drawn(objective: Any, examples: list[dict[str, Any]], tokenizer: Any) -> list[dict[str, Any]]:
    """The examples with what the objective draws for them: an MLM's masks."""
    import numpy as np

    return [objective.draw(each, np.random.default_rng((0, at)), tokenizer) for at, each in enumerate(examples)]
