"""The head an objective asks for, as the transformers class that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from smolrecipes.errors import RecipeError, nearest

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


class Head(NamedTuple):
    """A head, and what can carry it."""

    auto: str
    """transformers' Auto class that has it."""
    names: str
    """The mapping of modeling_auto that names its classes."""
    task: str
    """The hub's name for what a model with it does; none where it has no name."""
    families: tuple[str, ...] = ("decoder", "encoder", "encoder-decoder")
    types: tuple[str, ...] = ()
    """The model types it is of, when it is not of all."""


CAUSAL, MASKED = ("AutoModelForCausalLM", "CAUSAL_LM"), ("AutoModelForMaskedLM", "MASKED_LM")
PRETRAINING = ("AutoModelForPreTraining", "PRETRAINING")
SEQUENCES = ("AutoModelForSequenceClassification", "SEQUENCE_CLASSIFICATION")
HEADS = {
    "causal": Head(*CAUSAL, "text-generation", ("decoder",)),
    "sequence-classification": Head(*SEQUENCES, "text-classification"),
    "masked": Head(*MASKED, "fill-mask", ("encoder",)),
    "seq2seq": Head("AutoModelForSeq2SeqLM", "SEQ_TO_SEQ_CAUSAL_LM", "text2text-generation", ("encoder-decoder",)),
    "pretraining": Head(*PRETRAINING, "", ("encoder",), ("bert", "albert")),
    "discriminator": Head(*PRETRAINING, "", ("encoder",), ("electra",)),
    "permutation": Head(*CAUSAL, "text-generation", ("encoder",), ("xlnet",)),
    "entities": Head(*MASKED, "fill-mask", ("encoder",), ("luke",)),
    "token-classification": Head("AutoModelForTokenClassification", "TOKEN_CLASSIFICATION", "token-classification"),
    "question-answering": Head("AutoModelForQuestionAnswering", "QUESTION_ANSWERING", "question-answering"),
    "multiple-choice": Head("AutoModelForMultipleChoice", "MULTIPLE_CHOICE", "multiple-choice"),
    "regression": Head(*SEQUENCES, "text-classification"),
}
"""What each head is for is its objective's to say: `masked` predicts hidden words, `pretraining` also the order of two
sentences, `discriminator` which words were replaced, `permutation` words in any order, `entities` words and entities."""

CLASSIFYING = ("sequence-classification", "token-classification")


def auto_class(head: str) -> Any:
    """transformers' Auto class for a head."""
    import transformers

    if head not in HEADS:
        raise RecipeError(f"no head named '{head}'{nearest(head, HEADS)} (there are: {', '.join(HEADS)})")
    return getattr(transformers, HEADS[head].auto)


def class_name(model_type: str, head: str) -> str | None:
    """transformers' class of this model type with the head; None when there is none."""
    from transformers.models.auto import modeling_auto

    found = getattr(modeling_auto, f"MODEL_FOR_{HEADS[head].names}_MAPPING_NAMES").get(model_type)
    return found if found is None or isinstance(found, str) else found[0]


def offered(model_type: str, family: str) -> list[str]:
    """The heads that a model type of this family has."""
    return [
        name
        for name, head in HEADS.items()
        if family in head.families and model_type in (head.types or (model_type,)) and class_name(model_type, name)
    ]


def head_of(config: PreTrainedConfig, built: str = "") -> str:
    """The head that a saved model has, by the class that its config names; RecipeError for a class that has none of ours.

    built: the class of a model that was not saved yet.
    """
    saved = (config.architectures or [built])[0]
    if config.model_type == "xlnet" and saved == class_name("xlnet", "causal"):
        return "permutation"
    if getattr(config, "problem_type", None) == "regression":
        return "regression"
    for name, head in HEADS.items():
        if name == "causal" and reads_both_ways(config):  # XLM has one class for both
            continue
        if config.is_encoder_decoder and "encoder-decoder" not in head.families:  # and so has BART
            continue
        if (
            saved
            and saved == class_name(config.model_type, name)
            and config.model_type in (head.types or (config.model_type,))
        ):
            return name
    raise RecipeError(
        f"'{saved or config.model_type}' is no model with a head that can be asked (there are: {', '.join(HEADS)})"
    )


def reads_both_ways(config: PreTrainedConfig) -> bool:
    """Encoders and encoder-decoders whose causal class exists only for special uses: as it is built, a token sees later
    ones."""
    from transformers.models.auto import modeling_auto as auto

    encodes = config.model_type in (*auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, "bert-generation")
    masks = encodes and not getattr(config, "is_decoder", False)
    any_order = config.model_type == "xlnet" and config.attn_type == "bi"
    return bool(getattr(config, "is_encoder_decoder", False)) or masks or any_order


def check_offered(who: str, model_type: str, family: str, head: str) -> None:
    """RecipeError for a head that the model type lacks, with those it has."""
    auto_class(head)
    if head not in (has := offered(model_type, family)):
        raise RecipeError(f"{who} has no head '{head}' in transformers (it has: {', '.join(has)})")


def with_head(config: PreTrainedConfig, head: str, labels: int) -> PreTrainedModel:
    """A new model of this config, in float32, with the head; `labels` are its classes, for the heads that classify."""
    import torch

    for name, value in settings(head, labels).items():
        setattr(config, name, value)
    model: PreTrainedModel = auto_class(head).from_config(config, dtype=torch.float32)
    return model


def outlined(config: PreTrainedConfig, head: str, labels: int) -> PreTrainedModel:
    """As `with_head`, without weights."""
    import torch

    with torch.device("meta"):
        return with_head(config, head, labels)


def settings(head: str, labels: int) -> dict[str, Any]:
    """What a config says of the head."""
    if head == "regression":
        return {"num_labels": 1, "problem_type": "regression"}
    return {"num_labels": labels} if head in CLASSIFYING else {}
