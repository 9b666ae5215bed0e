"""Which words a model holds for alike: the nearest of its embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def neighbours(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, word: str, top: int = 10
) -> list[tuple[str, float]]:
    """The tokens whose embeddings have the smallest angle with the word's, and its cosine, the nearest first.

    A word of several tokens is their mean. RecipeError for one that the tokenizer does not know.
    """
    import torch
    import torch.nn.functional as F

    from smolrecipes.objectives.masking import ordinary

    ids = _ids(word, tokenizer)
    with torch.no_grad():
        table = model.get_input_embeddings().weight[: len(tokenizer)].float()
        near = F.cosine_similarity(table[ids].mean(0, keepdim=True), table)
    near[~torch.from_numpy(ordinary(tokenizer)).to(near.device)] = -2
    found: dict[str, float] = {}
    for i in near.argsort(descending=True).tolist():
        name = tokenizer.decode([i]).strip()
        if len(found) == top or near[i] < -1:
            break
        if name and i not in ids and name.casefold() != word.casefold():
            found.setdefault(name, float(near[i]))
    return list(found.items())


def _ids(word: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Its tokens: as they are within a text or at its beginning, whichever are fewer."""
    spelt = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (f" {word}", word)]
    ids: list[int] = min((one for one in spelt if one), key=len, default=[])
    if not ids or tokenizer.unk_token_id in ids:
        raise RecipeError(f"the tokenizer does not know the word '{word}'")
    return ids
