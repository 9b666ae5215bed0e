"""Encoders: what stands behind a mask, and which words do not belong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from smolrecipes.ask.answer import Answer, Wish, listed, ranked
from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def fill(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """The likeliest tokens behind each mask, every mask by itself, and the text with the first of each."""
    (text,) = texts
    inputs = encoded(model, tokenizer, text)
    if known := getattr(model.config, "lang2id", None):
        if wish.source not in known:
            raise RecipeError(f"this model reads {', '.join(known)}: say which of them with --source")
        inputs["langs"] = inputs["input_ids"].new_full(inputs["input_ids"].shape, known[wish.source])
    ids = inputs["input_ids"][0]
    masks = (ids == tokenizer.mask_token_id).nonzero().flatten().tolist()
    if not masks:
        raise RecipeError(f"there is nothing to fill in: write {tokenizer.mask_token} where a word is missing")
    shares = _scores(model, inputs, masks).float().softmax(-1)
    found: list[list[tuple[str, float]]] = []
    for row in shares:
        best = row.topk(min(wish.top, len(row)))
        found.append(ranked([tokenizer.decode([i]).strip() for i in best.indices], best.values.tolist(), wish.top))
    ids = ids.clone()
    ids[masks] = shares.argmax(-1)
    filled = tokenizer.decode(ids, skip_special_tokens=True)
    lines = [f"{number}. {listed(one)}" if len(found) > 1 else listed(one) for number, one in enumerate(found, 1)]
    return Answer("\n".join([filled, *lines]), {"text": filled, "masks": [dict(one) for one in found]})


def _scores(model: PreTrainedModel, inputs: dict[str, Tensor], masks: list[int]) -> Tensor:
    """(masks, vocabulary): logits behind the masks. XLNet is asked for these places, with none of them seen by any."""
    import torch

    if model.config.model_type == "xlnet":
        size = inputs["input_ids"].shape[1]
        hidden, wanted = torch.zeros(1, size, size), torch.zeros(1, len(masks), size)
        hidden[:, :, masks] = 1.0
        wanted[0, range(len(masks)), masks] = 1.0
        inputs = {**inputs, "perm_mask": hidden.to(model.device), "target_mapping": wanted.to(model.device)}
        found: Tensor = model(**inputs).logits[0]
        return found
    output = model(**inputs)
    logits: Tensor = output.prediction_logits if "prediction_logits" in output else output.logits
    return logits[0, masks]


def detect(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], wish: Wish) -> Answer:
    """Each token's probability of having been replaced; those above one half stand in brackets."""
    (text,) = texts
    inputs = encoded(model, tokenizer, text)
    ids, shares = inputs["input_ids"][0].tolist(), model(**inputs).logits[0].sigmoid().tolist()
    known = set(tokenizer.all_special_ids)
    tokens = [(tokenizer.decode([i]).strip(), share) for i, share in zip(ids, shares) if i not in known]
    marked = " ".join(f"[{word}]" if share > 0.5 else word for word, share in tokens)
    doubted = ranked([word for word, _ in tokens], [share for _, share in tokens], wish.top)
    return Answer(f"{marked}\nreplaced? {listed(doubted)}", {"tokens": [list(one) for one in tokens]})


def encoded(model: Any, tokenizer: PreTrainedTokenizerBase, text: str) -> dict[str, Tensor]:
    """One text in its frame, as the model reads it; the control tokens that it spells are read as such."""
    from smolrecipes.architectures.sizes import readable

    found = tokenizer(text, return_tensors="pt", verbose=False)
    size, limit = found["input_ids"].shape[1], readable(model.config)
    if limit and size > limit:
        raise RecipeError(f"the text has {size} tokens, and the model reads {limit} at most")
    return {name: value.to(model.device) for name, value in found.items()}
