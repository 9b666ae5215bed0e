"""A model with its weights, from a folder or from the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from smolrecipes import hub
from smolrecipes.architectures.checkpoint import TASKS, check_head, check_unread, check_weights, quiet, widen
from smolrecipes.architectures.special import fix
from smolrecipes.component import option
from smolrecipes.kinds import Architecture, Tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

NEEDS = ("config.json",)
PACKS = frozenset(
    {
        "apertus", "arcee", "cohere", "cohere2", "ernie4_5", "exaone4", "gemma", "gemma3_text", "glm", "glm4", "gpt2",
        "gpt_bigcode", "gpt_neox", "granite", "helium", "hunyuan_v1_dense", "llama", "ministral", "mistral", "nanochat",
        "olmo", "olmo2", "olmo3", "opt", "persimmon", "phi", "phi3", "qwen2", "qwen3", "seed_oss", "smollm3",
        "starcoder2",
    }
)  # fmt: skip
"""Model types whose attention was tested to be exact without padding (`tests/test_attention.py`)."""
PACKS_BOTH_WAYS = frozenset({"albert", "bert", "distilbert", "electra", "modernbert", "roberta"})
"""And the encoders."""


class Pretrained(Architecture):
    """Weights from a folder or from the hub. Code from a model's own repository is never run."""

    family = ""  # the weights say which

    path: str = option(kw_only=False)
    """A folder, or a hub id such as org/name (through the ordinary Hugging Face cache and its offline switches)."""
    revision: str | None = None
    """A branch, tag or commit on the hub; its main branch when not given."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the weights are held in; float32 is what trains well, whatever precision the passes use."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = option(
        default="auto", affects_weights=False
    )
    """Which implementation of attention computes it; auto is sdpa, but eager for types that transformers has without."""

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> PreTrainedModel:
        name, commit = self._place()
        import torch

        from smolrecipes.architectures.heads import auto_class, settings

        config = self._config(name, commit, head)
        given = settings(head, labels) | ({"pad_token_id": tokenizer.pad_token_id} if head in TASKS else {})
        with hub.sentences(self.path, self.revision), quiet():
            model, report = auto_class(head).from_pretrained(
                name, revision=commit, dtype=getattr(torch, self.dtype), trust_remote_code=False,
                attn_implementation=None if self.attention == "auto" else self.attention, output_loading_info=True,
                ignore_mismatched_sizes=head in TASKS, **given,
            )  # fmt: skip
        other = {key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]}  # of another task's head
        check_weights(self.path, model, head, sorted({*report["missing_keys"], *other}))
        check_unread(self.path, model, head, sorted(report["unexpected_keys"]))
        widen(model, tokenizer)
        fix(model, getattr(config, "fixed", ""))
        built: PreTrainedModel = model
        return built

    def outline(self, tokenizer: PreTrainedTokenizerBase, head: str = "causal", labels: int = 0) -> Any:
        from smolrecipes.architectures.heads import outlined

        return outlined(self._config(*self._place(), head), head, labels)

    def packs(self, model: PreTrainedModel) -> bool:
        """For the model types that were each tested to be exact."""
        return self.attention in ("auto", "sdpa") and model.config.model_type in PACKS | PACKS_BOTH_WAYS

    def tokenizer(self) -> Tokenizer | None:
        from smolrecipes.tokenizers.pretrained import PretrainedTokenizer

        return PretrainedTokenizer(path=self.path, revision=self.revision)

    def identity(self) -> Any:
        """A folder counts by its content, a hub id by the commit that it means now."""
        known = {"use": f"{self.kind}:{self.name}", "dtype": self.dtype}
        where = hub.folder(self.path, NEEDS)
        if where:
            return {**known, "content": hub.content(where, (*hub.MODEL_FILES, *hub.TOKENIZER_FILES))}
        return {**known, "hub": self.path, "commit": self._commit()}

    def _place(self) -> tuple[str, str | None]:
        """The folder, or the hub id and its commit."""
        where = hub.folder(self.path, NEEDS)
        return str(where or self.path), None if where else self._commit()

    def _config(self, name: str, commit: str | None, head: str) -> PretrainedConfig:
        """What was saved, of a kind that can carry the head."""
        from transformers import AutoConfig

        with hub.sentences(self.path, self.revision):
            config: PretrainedConfig = AutoConfig.from_pretrained(name, revision=commit, trust_remote_code=False)
        check_head(self.path, config, head)
        return config

    def _commit(self) -> str:
        return hub.commit(self.path, self.revision, NEEDS)
