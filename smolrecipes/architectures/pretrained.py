"""A model with its weights, from a folder or from the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from smolrecipes import hub
from smolrecipes.architectures.special import fix
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
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
TASKS = ("sequence-classification", "regression", "token-classification", "question-answering", "multiple-choice")
"""Heads that may be new: what they do is learned in fine-tuning."""


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
        where = hub.folder(self.path, NEEDS)
        import torch
        from transformers import AutoConfig

        from smolrecipes.architectures.heads import auto_class, settings

        name, commit = str(where or self.path), None if where else self._commit()
        with hub.sentences(self.path, self.revision):
            config = AutoConfig.from_pretrained(name, revision=commit, trust_remote_code=False)
        _check_head(self.path, config, head)
        given = settings(head, labels) | ({"pad_token_id": tokenizer.pad_token_id} if head in TASKS else {})
        with hub.sentences(self.path, self.revision):
            model, report = auto_class(head).from_pretrained(
                name, revision=commit, dtype=getattr(torch, self.dtype), trust_remote_code=False,
                attn_implementation=None if self.attention == "auto" else self.attention, output_loading_info=True,
                ignore_mismatched_sizes=head in TASKS, **given,
            )  # fmt: skip
        other = {key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]}  # of another task's head
        _check_weights(self.path, model, head, sorted({*report["missing_keys"], *other}))
        widen(model, tokenizer)
        fix(model, getattr(config, "fixed", ""))
        built: PreTrainedModel = model
        return built

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

    def _commit(self) -> str:
        return hub.commit(self.path, self.revision, NEEDS)


def _check_head(path: str, config: PretrainedConfig, head: str) -> None:
    """That the checkpoint is of a kind that can carry the head."""
    from transformers.models.auto import modeling_auto as auto

    from smolrecipes.architectures.heads import auto_class, offered, reads_both_ways

    auto_class(head)  # which knows the names
    saved = (config.architectures or ["no named class"])[0]
    if head != "causal":
        if head not in (has := offered(config.model_type, _family(config))):
            called = "classification head" if head == "sequence-classification" else f"head '{head}'"
            others = f" (it has: {', '.join(has)})" if has else ""
            raise RecipeError(
                f"{path} is of type {config.model_type} ({saved}), which has no {called} in transformers{others}"
            )
        return
    # BERT has a causal class too, so the class that was saved decides; a bare body is decided by its weights.
    causal = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    body = saved == auto.MODEL_MAPPING_NAMES.get(config.model_type) and not reads_both_ways(config)
    unnamed = not config.architectures and config.model_type in causal and not reads_both_ways(config)
    if not (saved in causal.values() and config.model_type in causal) and not body and not unnamed:
        raise RecipeError(
            f"{path} is of type {config.model_type} ({saved}), not a causal language model; this objective needs one that "
            "writes from left to right (Llama, Qwen, GPT-2, ...). An encoder fits classification objectives"
        )


def _family(config: PretrainedConfig) -> str:
    from smolrecipes.architectures.heads import reads_both_ways

    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    return "encoder" if reads_both_ways(config) else "decoder"


def _check_weights(path: str, model: PreTrainedModel, head: str, missing: list[str]) -> None:
    """That nothing but the head of a task starts at random."""
    if head in TASKS:
        # A body that was saved with another head may lack the pooler, which only this head reads.
        new = [key for key in missing if not key.startswith(f"{model.base_model_prefix}.") or ".pooler." in key]
        if new:
            _warn("%s: its classification head is new: %s", path, ", ".join(new))
        missing = [key for key in missing if key not in new]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise RecipeError(
            f"{path} lacks weights of {type(model).__name__}: {', '.join(missing[:3])}{more}; "
            "they would start at random. Save the whole model there, with its head"
        )


def widen(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Gives every token of the tokenizer a row. New rows begin as the mean of the old, so that no new token is likely
    or unlikely by chance; `model.new_token_ids` says which they are, for adapters that must train them."""
    import torch

    old = model.get_input_embeddings().weight.shape[0]
    new = max(len(tokenizer), old)
    model.new_token_ids = range(old, new)
    if new == old:
        return
    model.resize_token_embeddings(new, mean_resizing=False)
    output = model.get_output_embeddings()
    tables = [model.get_input_embeddings().weight, *([output.weight, getattr(output, "bias", None)] if output else [])]
    with torch.no_grad():
        for table in {id(table): table for table in tables if table is not None and table.shape[0] == new}.values():
            table[old:] = table[:old].float().mean(0).to(table.dtype)
    names = tokenizer.convert_ids_to_tokens(list(range(old, new)))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    _warn("%d new tokens (%s): their embeddings begin as the mean of the others", new - old, shown)


def _warn(sentence: str, *values: object) -> None:
    import logging

    logging.getLogger(__name__).warning(sentence, *values)
