"""Where each head of a model looks, as one picture: SVG, which every browser shows."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from smolrecipes.decoding import Decoding
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CELL, GAP, FONT = 11, 16, 9
"""Pixels of a cell's side, between two maps, and of the letters."""
TITLE = 110
"""Pixels that the name of a map takes at the least."""
MOST = 64
"""Tokens of a text that is drawn."""


class Maps(NamedTuple):
    """What the heads of one part of a model look at."""

    part: str
    """encoder, decoder, decoder to encoder; nothing where there is one part."""
    weights: Tensor
    """(layers, heads, queries, keys), float32; rows sum to 1."""
    queries: list[str]
    keys: list[str]


def attention(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, source: str = "", target: str = ""
) -> list[Maps]:
    """The maps of every head for one text.

    An encoder-decoder is shown at work: its decoder writes what it makes of the text. RecipeError for a model whose
    attention does not tell its weights, and for a text of more than 64 tokens.
    """
    import torch

    inputs = _inputs(model, tokenizer, text, source, target)
    read = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    wrote = tokenizer.convert_ids_to_tokens(inputs.get("decoder_input_ids", inputs["input_ids"])[0].tolist())
    used = model.config._attn_implementation
    try:
        model.set_attn_implementation("eager")  # the others compute no weights
        with torch.no_grad():
            output = model(**inputs, output_attentions=True)
    except ValueError as error:
        raise RecipeError(f"{type(model).__name__} does not tell where it looks ({error})") from None
    finally:
        model.set_attn_implementation(used)
    parts = {
        "attentions": ("", wrote, wrote),
        "encoder_attentions": ("encoder", read, read),
        "decoder_attentions": ("decoder", wrote, wrote),
        "cross_attentions": ("decoder to encoder", wrote, read),
    }
    found = [
        Maps(part, torch.stack([_square(one[0], model) for one in output[field]]).float().cpu(), queries, keys)
        for field, (part, queries, keys) in parts.items()
        if output.get(field) and output[field][0] is not None
    ]
    if not found:
        raise RecipeError(f"{type(model).__name__} does not tell where it looks")
    return found


def _inputs(model: Any, tokenizer: PreTrainedTokenizerBase, text: str, source: str, target: str) -> dict[str, Any]:
    """What the model reads; of an encoder-decoder also what it writes."""
    import torch

    from smolrecipes.ask.fill import encoded
    from smolrecipes.generate import settings, source_ids, untouched

    if not model.config.is_encoder_decoder:
        inputs: dict[str, Any] = encoded(model, tokenizer, text)
    else:
        inputs = {"input_ids": torch.tensor([source_ids(text, tokenizer, source)], device=model.device)}
        with untouched(model):
            how = settings(model, tokenizer, Decoding(), MOST // 2, target)
            inputs["decoder_input_ids"] = model.generate(**inputs, generation_config=how)
    if (size := inputs["input_ids"].shape[1]) > MOST:
        raise RecipeError(f"the text has {size} tokens; a picture of more than {MOST} cannot be read")
    return inputs


def _square(weights: Tensor, model: Any) -> Tensor:
    """(heads, queries, keys); Longformer gives (queries, heads, window), the weights of what is around each query."""
    if model.config.model_type != "longformer":
        return weights
    heads, size, band = weights.shape
    square = weights.new_zeros(heads, size, size)
    for query in range(size):
        for at in range(band):
            if 0 <= (key := query - band // 2 + at) < size:
                square[:, query, key] = weights[:, query, at]
    return square


def picture(found: list[Maps]) -> str:
    """All maps as one SVG: a row for each layer, a column for each head; the darker, the more a token looks there."""
    drawn: list[str] = []
    top, right = GAP, 0
    for part, weights, queries, keys in found:
        edge = 6 + int(0.62 * FONT * max(map(len, (*queries, *keys))))
        wide, high = max(TITLE, edge + CELL * len(keys)) + GAP, edge + CELL * len(queries) + GAP + FONT
        if part:
            drawn.append(f'<text x="{GAP}" y="{top + FONT}" font-size="{FONT + 3}">{part}</text>')
            top += 2 * GAP
        for layer, heads in enumerate(weights.tolist(), 1):
            for head, rows in enumerate(heads):
                inner = _map(f"layer {layer}, head {head + 1}", rows, queries, keys, edge)
                drawn.append(f'<g transform="translate({GAP + head * wide},{top})">{inner}</g>')
            top += high
            right = max(right, GAP + len(heads) * wide)
    size = f'width="{right}" height="{top}" font-family="monospace" font-size="{FONT}"'
    white = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{white}{"".join(drawn)}</svg>\n'


def _map(title: str, rows: list[list[float]], queries: list[str], keys: list[str], edge: int) -> str:
    """One head: its name, the tokens at both sides, and a square for each weight that can be seen."""
    made = [f'<text x="{edge}" y="{FONT}" font-weight="bold">{escape(title)}</text>']
    for at, name in enumerate(queries):
        made.append(
            f'<text x="{edge - 3}" y="{edge + FONT + CELL * at + FONT}" text-anchor="end">{escape(name)}</text>'
        )
    for at, name in enumerate(keys):
        place = f"translate({edge + CELL * at + FONT},{edge + FONT - 3}) rotate(-90)"
        made.append(f'<text transform="{place}">{escape(name)}</text>')
    cell = f'width="{CELL}" height="{CELL}" fill="#0b3d91"'
    for row, weights in enumerate(rows):
        for column, weight in enumerate(weights):
            if weight >= 0.005:
                x, y = edge + CELL * column, edge + FONT + CELL * row
                made.append(f'<rect x="{x}" y="{y}" {cell} fill-opacity="{min(1, weight):.2f}"/>')
    frame = f'width="{CELL * len(keys)}" height="{CELL * len(queries)}" fill="none" stroke="#bbb"'
    return "".join([*made, f'<rect x="{edge}" y="{edge + FONT}" {frame}/>'])
