"""That a model was built as asked: transformers' configs store options that they do not use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from smolrecipes.architectures.scratch import Scratch

HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "num_attention_head")
"""What attention modules call the number of their heads."""
OFFSET = ("roberta", "luke", "longformer", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet")
"""Model types whose table of positions begins after the id of the padding token."""


def check_memory(who: str, weights: int) -> None:
    """That so many float32 weights fit the memory: a system ends a process that asks for more without a word."""
    import psutil  # type: ignore[import-untyped]

    needed, free = 4 * weights, psutil.virtual_memory().available
    if needed > free:
        raise RecipeError(
            f"{who}: {weights:,} weights take {needed / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB are free; "
            "build it smaller (model.hidden, model.layers)"
        )


def check(model: PreTrainedModel, asked: Scratch, vocabulary: int) -> PreTrainedModel:
    """The model itself, if its layers have the component's sizes."""
    return check_sizes(
        model,
        type(asked).__name__,
        layers=asked.layers,
        decoder_layers=asked.depths[1] if blocks(model, "decoder") else 0,  # some heads read the encoder alone
        hidden=asked.hidden,
        vocabulary=vocabulary,
        embedding=asked.embeddings,
        heads=asked.heads,
        kv_heads=getattr(asked, "kv_heads", None),
        ffn=asked.width,
        max_length=asked.max_length,
        tied=asked.shares,
    )


def check_sizes(
    model: PreTrainedModel,
    who: str,
    *,
    layers: int,
    hidden: int,
    vocabulary: int,
    decoder_layers: int = 0,
    embedding: int | None = None,
    heads: int | None = None,
    kv_heads: int | None = None,
    ffn: int | None = None,
    max_length: int | None = None,
    tied: bool | None = None,
) -> PreTrainedModel:
    """The model itself, if each of these sizes, read from its layers, is the one asked for."""
    table = tuple(model.get_input_embeddings().weight.shape)
    found: list[tuple[str, Any, Any]] = [
        ("layers", blocks(model, "encoder" if decoder_layers else ""), layers),
        ("vocabulary and hidden", table, (vocabulary, embedding or hidden)),
    ]
    if decoder_layers:
        found.append(("decoder_layers", blocks(model, "decoder"), decoder_layers))
    if heads:
        found.append(("heads", attention_heads(model), [heads]))
    if kv_heads and (built := projected(model, "k_proj")):
        found.append(("kv_heads", built, [kv_heads]))
    if ffn:
        found.append(("ffn", width(model, hidden, layers + decoder_layers, ffn), ffn))
    if max_length and (declared := readable(model.config)):  # bloom declares none
        found.append(("max_length", declared, max_length))
    if max_length:
        found += [("positions", rows, max_length) for rows in tables(model) if rows < max_length]
    output = model.get_output_embeddings()
    if tied is not None and output is not None:
        found.append(("tied", output.weight is model.get_input_embeddings().weight, tied))
    if wrong := [f"{name} {has}, not {asked}" for name, has, asked in found if has != asked]:
        raise RecipeError(f"{who}: this version of transformers builds it with {' and '.join(wrong)}")
    return model


def blocks(model: PreTrainedModel, part: str = "") -> int:
    """Blocks of the model or of its encoder or decoder: the longest list of modules that lies in no other. Blocks that
    share their weights count as often as they are run."""
    from torch.nn import ModuleList

    lists = [(name, len(one)) for name, one in model.named_modules() if isinstance(one, ModuleList)]
    outer = [(name, n) for name, n in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    longest = max((n for name, n in outer if not part or part in name.split(".")), default=0)
    return int(model.config.num_hidden_layers) if model.config.model_type == "albert" else longest


def attention_heads(model: PreTrainedModel) -> list[int]:
    """The numbers of heads that its attention modules have; one, where all have the same."""
    parts = [part for part in model.modules() if "Attention" in type(part).__name__]
    named = {getattr(part, name, None) for part in parts for name in HEADS}
    found = {number for number in named if isinstance(number, int)} | set(projected(model, "q_proj"))
    return sorted(found) or [int(model.config.num_attention_heads)]


def projected(model: PreTrainedModel, name: str) -> list[int]:
    """Heads by the width of a projection, where a module knows the size of a head but not their number."""
    parts = [part for part in model.modules() if hasattr(part, "head_dim") and hasattr(part, name)]
    return sorted({getattr(part, name).weight.shape[0] // part.head_dim for part in parts})


def width(model: PreTrainedModel, hidden: int, count: int, asked: int) -> int:
    """The width of the feed-forward layers: the inputs of those matrices that lead back to the stream, one a block."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    shapes = [part.weight.shape for part in model.base_model.modules() if isinstance(part, Linear)]
    shapes += [part.weight.shape[::-1] for part in model.base_model.modules() if isinstance(part, Conv1D)]
    inputs = [shape[1] for shape in shapes if shape[0] == hidden]
    if inputs.count(asked) >= (1 if model.config.model_type == "albert" else count):
        return asked
    return max(inputs, key=lambda size: (size not in (hidden, asked), inputs.count(size)), default=0)


def tables(model: PreTrainedModel) -> list[int]:
    """The rows of its tables of positions."""
    from torch.nn import Embedding

    named = [(name.rpartition(".")[2], part) for name, part in model.named_modules() if isinstance(part, Embedding)]
    return [part.weight.shape[0] for name, part in named if "pos" in name or name == "wpe"]


def readable(config: PreTrainedConfig) -> int | None:
    """How many tokens a model of this config reads; None when it does not say."""
    text = config.get_text_config()
    names = ("max_seq_len", "n_positions", "max_position_embeddings")
    found: int | None = next((size for name in names if (size := getattr(text, name, None) or 0) > 0), None)
    return found if found is None else found - first_position(config)


def first_position(config: PreTrainedConfig) -> int:
    """The position of a text's first token in the model's table."""
    return int(config.pad_token_id) + 1 if config.model_type in OFFSET else 0
