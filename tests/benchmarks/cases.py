"""What is measured: the sizes of the models, the lengths of the rows, the cases and the sweeps. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Size:
    """A Llama, or a BERT of as many layers and as wide."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int


SIZES = {
    "toy": Size(32, 2, 2, 2, 64, 500),
    "tiny": Size(256, 4, 4, 4, 768, 32_000),
    "135m": Size(576, 30, 9, 3, 1536, 49_152),
}

COMPETITORS = {
    "ours": "`recipe.trainer()`, the recipe's defaults: micro-batches of about 2,048 tokens on a CPU, 4,096 without an adapter, a whole batch on a GPU, as the rehearsal of a run finds it",
    "trl": "TRL's trainer with TRL's defaults, given the same ids, in the same precision; no gradient checkpointing, none of our callbacks",
    "trl_best": "TRL at its best settings (`best.py`), on a GPU: no padding, Liger's kernels, the reference computed before",
    "padded": "a plain `transformers.Trainer`: rows padded to the longest, every logit, `model(**batch).loss`",
    "bare": "a PyTorch loop on our packed batches, made beforehand: labelled logits, backward, clip, fused AdamW, schedule",
}

LENGTHS = {
    "sft": {"prompt": (4.16, 0.31), "answer": (4.44, 0.42)},
    "pairs": {"prompt": (4.23, 0.31), "chosen": (4.61, 0.38), "rejected": (4.54, 0.43)},
    "clm": {"text": (5.5, 0.5)},
    "mlm": {"text": (5.5, 0.5)},
    "classification": {"text": (4.2, 0.6)},
}
"""Tokens of GSM8K and of preferences on it: mean and deviation of their logarithm (byte-level BPE of 8,192 tokens
learned on them, ChatML); of documents to pretrain on and of texts to classify, any."""
ENCODERS, BLOCKS = ("mlm", "classification"), ("clm", "mlm")
"""Objectives of a BERT; those on blocks of text."""
CORRELATION = 0.5
"""Of the logarithms of the lengths within a row: long questions have long answers."""


@dataclass(frozen=True)
class Case:
    """One piece of work, the same for every competitor."""

    objective: str
    size: str = "tiny"
    lora: bool = False
    batch: int = 8
    """Rows, pairs or blocks of a step."""
    steps: int = 5
    """Timed steps."""
    warm: int = 1
    """Steps before those."""
    vocabulary: int = 0
    """0 is the size's own."""
    stretch: float = 1.0
    """Rows are so many times as long as GSM8K's."""
    rows: int = 0
    """Rows to choose from; 0 is what the steps need."""
    max_length: int = 512
    data: str = ""
    """Rows of one's own in place of generated ones."""
    micro: int = 0
    """Rows of a forward pass; 0 is what the recipe makes of it."""
    log: int = 10
    """Steps between two logs, for everyone."""
    device: str = "cpu"
    """Or cuda, in bfloat16."""

    @property
    def shape(self) -> Size:
        """The model's sizes."""
        size = SIZES[self.size]
        return replace(size, vocabulary=self.vocabulary or size.vocabulary)

    @property
    def name(self) -> str:
        """sft_tiny_lora."""
        return f"{self.objective}_{self.size}_{'lora' if self.lora else 'full'}"

    @property
    def competitors(self) -> tuple[str, ...]:
        """Who takes part: TRL has trainers for conversations and pairs alone."""
        able = COMPETITORS if self.objective in ("sft", "dpo", "orpo") else ("ours", "padded", "bare")
        return tuple(name for name in able if name != "trl_best" or self in GPU_CASES.values())

    def facts(self) -> dict[str, Any]:
        """As JSON; `Case(**facts)` reads it."""
        return asdict(self)


_LARGE: dict[str, Any] = {"size": "135m", "batch": 2, "steps": 5, "warm": 1}
CASES = {
    case.name: case
    for case in (
        Case("clm"),
        Case("sft"),
        Case("sft", lora=True),
        Case("dpo"),
        Case("dpo", lora=True),
        Case("orpo"),
        Case("orpo", lora=True),
        Case("mlm"),
        Case("classification", batch=32),
        Case("clm", **_LARGE),
        Case("sft", **_LARGE),
        Case("sft", lora=True, **_LARGE),
        Case("dpo", lora=True, **_LARGE),
        Case("orpo", lora=True, **_LARGE),
    )
}

_GPU: dict[str, Any] = {"size": "135m", "batch": 32, "micro": 32, "steps": 6, "warm": 3, "log": 3}
GPU_CASES = {
    case.name: case
    for case in (
        Case("clm", **{**_GPU, "batch": 16, "micro": 16, "max_length": 2048}),
        Case("sft", lora=True, **_GPU),
        Case("dpo", lora=True, **_GPU),
        Case("orpo", lora=True, **_GPU),
    )
}
"""`gpu`: SmolLM2-135M's shape; pretraining takes 32,768 tokens a step; each takes its whole batch at once, as the
rehearsal of a run would find."""
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "compile": {"compile": True},
    "muon": {"optimizer": "muon"},
    "adamw_8bit": {"optimizer": "adamw_8bit"},
    "gradient_checkpointing": {"gradient_checkpointing": True},
    "selective": {"gradient_checkpointing": "selective"},
    "offload": {"gradient_checkpointing": "offload"},
    "tf32": {"precision": "tf32"},
    "float32": {"precision": "float32"},
    "lora": {"adapter": "lora"},
    "qlora": {"adapter": "qlora"},
}
"""`options`: pretraining with one option of `Training` changed, or with an adapter."""

_SFT = Case("sft", lora=True, steps=4)
SWEEPS: dict[str, dict[int, Case]] = {
    "length": {round(170 * by): replace(_SFT, stretch=by, max_length=8192) for by in (0.25, 0.5, 1, 2, 4, 8)},
    "batch": {batch: replace(_SFT, batch=batch) for batch in (1, 2, 4, 8, 16, 32)},
    "vocabulary": {v: replace(_SFT, vocabulary=v) for v in (1_000, 4_000, 16_000, 32_000, 64_000, 150_000)},
    "rows": {rows: replace(_SFT, rows=rows, vocabulary=4_000) for rows in (1_000, 10_000, 100_000)},
}
"""`scaling`: a LoRA on conversations of GSM8K's lengths, one number changed."""
SWEPT = ("ours", "trl", "padded")

SCRIPTS: dict[str, tuple[str, ...]] = {
    "startup": (),
    "char_gpt": (
        "--data",
        "{text}",
        "--repeats",
        "{repeats}",
        "--out",
        "{out}",
        "--set",
        "training.evaluate_every=250",
    ),
    "tokenise": ("{text}", "--repeats", "{repeats}"),
}
"""Benchmarks of their own, `<name>.py` in this folder, run as cases with these words, the empty ones left out; char_gpt needs --text."""


def quick(case: Case) -> Case:
    """The same work at a toy size, to see that everything runs."""
    rows = min(case.rows, 50)
    sizes = {"size": "toy", "vocabulary": 0, "batch": 2, "micro": min(case.micro, 1), "max_length": 128}
    return replace(case, steps=2, warm=1, log=1, rows=rows, **sizes)
