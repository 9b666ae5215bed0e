"""A tiny model in a plain transformers Trainer: where every callback must work alone."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments


def words():
    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", *(f"w{i}" for i in range(38))])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>")


def rows(count=64):
    draw = torch.Generator().manual_seed(5)
    ids = torch.randint(2, 40, (count, 8), generator=draw)
    return [{"input_ids": row, "labels": row} for row in ids]


@pytest.fixture
def make_trainer(tmp_path):
    """make_trainer(callbacks, folder=..., **training arguments): a new model with the same weights each time."""

    def make(callbacks, model=None, folder="out", kind=Trainer, **options):
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            attention_dropout=0.2, pad_token_id=0, bos_token_id=None, eos_token_id=1,
        )  # fmt: skip
        given = {
            "output_dir": str(tmp_path / folder), "max_steps": 8, "per_device_train_batch_size": 4, "logging_steps": 2,
            "use_cpu": True, "report_to": [],
            "disable_tqdm": True, "save_strategy": "no", "learning_rate": 1e-2, "seed": 1,
        }  # fmt: skip
        return kind(
            model=model or LlamaForCausalLM(config),
            args=TrainingArguments(**{**given, **options}),
            train_dataset=rows(),
            eval_dataset=rows(8),
            processing_class=words(),
            callbacks=callbacks,
        )

    return make
