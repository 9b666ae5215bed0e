"""LoRA: low-rank updates of the linear layers, the rest frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from smolrecipes.errors import RecipeError, nearest
from smolrecipes.kinds import Adapter
from smolrecipes.limits import Ge, Gt, Lt, MinLen

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


TASKS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice")
"""How transformers' classes are called whose head is learned in fine-tuning; some have more before it."""


class LoRA(Adapter):
    """Trains a low-rank update of each chosen linear layer, and nothing else (arXiv:2106.09685)."""

    r: Annotated[int, Gt(0)] = 16
    """Rank of the updates."""
    alpha: Annotated[float, Gt(0)] = 32
    """Updates are scaled by alpha/r."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of a layer's inputs that its update does not see in training."""
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], MinLen(1)] = "all-linear"
    """Every linear layer but the head, or the layers whose names end so, such as ("q_proj", "v_proj")."""
    rslora: bool = False
    """Scale by alpha/sqrt(r), which keeps high ranks from learning more slowly (arXiv:2312.03732)."""
    dora: bool = False
    """Train each layer's magnitude apart from its direction (arXiv:2402.09353)."""

    def apply(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Any:
        """The model with the update; embeddings of tokens that `Pretrained` added are trained too, and the head of a task,
        which starts at random."""
        from peft import LoraConfig, get_peft_model

        targets = self._targets(model)
        new_tokens = list(getattr(model, "new_token_ids", ()))
        config = LoraConfig(
            r=self.r, lora_alpha=self.alpha, lora_dropout=self.dropout, use_rslora=self.rslora, use_dora=self.dora,
            target_modules=sorted(targets),
            # GPT-2's Conv1D holds its weight transposed.
            fan_in_fan_out=all(type(layer).__name__ == "Conv1D" for layer in targets.values()),
            task_type=_task(model),
            modules_to_save=task_head(model) or None,
            trainable_token_indices=dict.fromkeys(_token_tables(model), new_tokens) if new_tokens else None,
        )  # fmt: skip
        return get_peft_model(model, config)

    def check_targets(self, model: PreTrainedModel) -> None:
        """That each target is the name of a layer."""
        self._targets(model)

    def _targets(self, model: PreTrainedModel) -> dict[str, Module]:
        """The layers to update, by full name."""
        linear = dict(linear_layers(model))
        if not linear:
            raise RecipeError(f"{type(self).__name__}: {type(model).__name__} has no linear layer beside its head")
        if self.targets == "all-linear":
            return linear
        head = {name: layer for name, layer in model.named_modules() if layer is model.get_output_embeddings()}
        chosen: dict[str, Module] = {}
        for target in self.targets:
            found = {name: layer for name, layer in {**linear, **head}.items() if f".{name}".endswith(f".{target}")}
            if not found:
                known = sorted({name.rsplit(".", 1)[-1] for name in linear})
                raise RecipeError(
                    f"{type(self).__name__}.targets: no linear layer of {type(model).__name__} is called '{target}'"
                    f"{nearest(target, [*known, 'all-linear'])} (it has: {', '.join(known)})"
                )
            chosen |= found
        return chosen


def linear_layers(model: PreTrainedModel) -> Iterator[tuple[str, Module]]:
    """Every linear layer but the head, by full name."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    body = tuple(f"{name}." for name in _body(model))
    for name, layer in model.named_modules():
        if isinstance(layer, (Linear, Conv1D)) and layer is not model.get_output_embeddings() and name.startswith(body):
            yield name, layer


def _body(model: PreTrainedModel) -> list[str]:
    """The names of the modules that the head lies beside: lm_head, score, classifier. A model without one of the name that
    transformers gives it (T5's for questions) is all body, but for linear layers of its own."""
    from torch.nn import Linear

    if model.base_model is not model:
        return [model.base_model_prefix]
    return [name for name, part in model.named_children() if not isinstance(part, Linear)]


def task_head(model: PreTrainedModel) -> list[str]:
    """The names of the modules beside the body that answer for a task: classes, spans, choices; none where words are
    predicted."""
    if not any(task in type(model).__name__ for task in TASKS):
        return []
    return [
        name
        for name, part in model.named_children()
        if name not in _body(model) and next(part.parameters(), None) is not None
    ]


def _token_tables(model: PreTrainedModel) -> list[str]:
    """The names of the modules that hold a row for each token: the embedding, and the head when it has its own."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    own = head is not None and head.weight is not embedding.weight
    return [name for name, layer in model.named_modules() if layer is embedding or (own and layer is head)]


def _task(model: PreTrainedModel) -> str | None:
    """peft's name for what the model's head does; it decides which class wraps the model."""
    name = type(model).__name__
    if name.endswith("ForSequenceClassification"):
        return "SEQ_CLS"
    if name.endswith("ForTokenClassification"):
        return "TOKEN_CLS"
    if any(task in name for task in TASKS):
        return None
    if model.config.is_encoder_decoder:
        return "SEQ_2_SEQ_LM"
    return "CAUSAL_LM" if model.can_generate() else None
