"""Any other causal model of transformers, by canonical sizes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NoReturn

from smolrecipes.architectures.scratch import Scratch
from smolrecipes.architectures.special import ids
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from typing_extensions import Self

    from smolrecipes.architectures.budget import Plan

NAMES = {
    "layers": ("num_hidden_layers", "num_layers", "n_layer", "n_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads"),
    "head_size": ("head_dim",),
    "ffn": ("intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner", "d_ff", "hidden_dim"),
    "max_length": ("max_position_embeddings", "n_positions", "max_seq_len"),
    "init_std": ("initializer_range", "init_std"),
}
"""What configs call the canonical sizes."""


class Causal(Scratch, name="causal"):
    """A causal model of any type that transformers knows. What is built is checked: some configs ignore a size."""

    model_type: str = option(kw_only=False)
    """transformers' name of it: olmo2, mistral, phi3, gpt_neox, mpt, ..."""
    kv_heads: Positive | None = None
    """Key and value heads, where the type shares them; as many as heads when None."""
    head_size: Positive | None = None
    """Dimensions of a head, where the type lets them be chosen; hidden / heads when None."""

    @classmethod
    def plan(cls, budget: int | str, vocabulary: int | None = None, tokens: int | None = None) -> Plan[Self]:
        raise RecipeError("Causal: give it sizes; a budget is for the named families, such as Llama.sized('10M')")

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as known

        if self.model_type not in known:
            self._unknown(known)
        plain = self._made()
        self._check(plain, known)
        given = {"vocab_size": len(tokenizer), "tie_word_embeddings": self.tied, **ids(tokenizer)}
        for size, value in self._sizes().items():
            if name := _called(plain, size):
                given[name] = value
            elif getattr(self, size) is not None and size in self.given():
                raise RecipeError(f"Causal: {self.model_type} models have no {size}; leave it out")
        return self._made(**given)

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "", labels: int = 0) -> PreTrainedModel:
        import transformers

        from smolrecipes.architectures.heads import class_name

        config = self.config(tokenizer)
        made_by = getattr(transformers, class_name(config.model_type, "causal") or "")
        if self.attention == "sdpa" and not made_by._supports_sdpa:
            raise RecipeError(f"Causal: transformers has no sdpa for {self.model_type} models; set attention=eager")
        return super().build(tokenizer, head, labels)

    def packs(self, model: PreTrainedModel) -> bool:
        from smolrecipes.architectures.pretrained import PACKS

        return self.attention == "sdpa" and self.model_type in PACKS

    def parameters(self, vocabulary: int) -> int:
        """At least so many: types differ in their details."""
        return self.layers * 2 * self.hidden * (self.hidden + self.width) + vocabulary * self.hidden

    def _sizes(self) -> dict[str, Any]:
        found: dict[str, Any] = {"layers": self.layers, "hidden": self.hidden, "heads": self.heads, "ffn": self.width}
        found |= {"kv_heads": self.kv_heads or self.heads, "max_length": self.max_length, "init_std": self.std}
        return {**found, "head_size": self.head_size or self.hidden // self.heads}

    def _check(self, plain: PreTrainedConfig, known: Any) -> None:
        """That it writes from left to right, and that the canonical sizes say how large it is."""
        from smolrecipes.architectures.heads import reads_both_ways

        if reads_both_ways(plain):
            raise RecipeError(
                f"Causal: {self.model_type} models read both ways, so they would see what they should predict; take an "
                "encoder or encoder-decoder by its own component, such as BERT or BART, with an objective that fits it"
            )
        unsized = any(not _called(plain, size) for size in ("layers", "hidden", "heads"))
        if unsized or {"vision_config", "audio_config"} & {*plain.sub_configs}:
            text = f"{self.model_type}_text"
            raise RecipeError(
                f"Causal: layers, hidden and heads do not say how large {self.model_type} models are; "
                f"take {text if text in known else 'another type'}"
            )

    def _made(self, **given: Any) -> PreTrainedConfig:
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoConfig

        try:
            return AutoConfig.for_model(self.model_type, **given)
        except (TypeError, ValueError, StrictDataclassError) as error:
            why = " ".join(str(error).split())
            raise RecipeError(
                f"Causal: transformers refuses these sizes for {self.model_type} models: {why[:300]}"
            ) from error

    def _unknown(self, known: Any) -> NoReturn:
        near = difflib.get_close_matches(self.model_type, known, n=3, cutoff=0.5)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise RecipeError(f"Causal: transformers has no causal model type '{self.model_type}'{hint}")


def _called(plain: PreTrainedConfig, size: str) -> str | None:
    """What this config calls a canonical size that can be set, if it has it."""
    return next((name for name in NAMES[size] if name in vars(plain) or name in plain.attribute_map), None)
