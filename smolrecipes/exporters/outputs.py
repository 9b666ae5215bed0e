"""What a model makes of some tokens, whatever its head, and what it writes after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolrecipes.generate import settings, untouched

if TYPE_CHECKING:
    from torch import Tensor


def outputs(model: Any, ids: list[int]) -> list[Any]:
    """Log-probabilities over the last axis of each of its outputs, in float32 on the CPU: (1, tokens, vocabulary) of a decoder,
    (1, classes) of one that classifies. An encoder-decoder reads the same tokens on both sides."""
    import torch

    from smolrecipes.architectures.heads import head_of

    read = torch.tensor([ids], device=model.device)
    given = {"input_ids": read}
    if model.config.is_encoder_decoder:
        start = model.config.decoder_start_token_id or 0
        given["decoder_input_ids"] = torch.cat([torch.full_like(read[:, :1], start), read[:, :-1]], 1)
    if head_of(model.config, type(model).__name__) == "multiple-choice":
        given = {name: value[:, None].expand(-1, 2, -1) for name, value in given.items()}
    with untouched(model):
        found = model(**given)
    made = [value for name, value in found.items() if name.endswith("logits") and value is not None]
    return [value.float().cpu().log_softmax(-1) if value.shape[-1] > 1 else value.float().cpu() for value in made]


def both_write(model: Any, other: Any, tokenizer: Any, prompt: list[int], most: int) -> tuple[Tensor, Tensor]:
    """Until they write something else, and with that: the log-probabilities of the first, (tokens, vocabulary), and the
    tokens of the second."""
    (mine, rows), (theirs, _) = (_written(one, tokenizer, prompt, most) for one in (model, other))
    shorter = min(len(mine), len(theirs))
    same = (mine[:shorter] == theirs[:shorter]).cumprod(0)
    end = min(int(same.sum()) + 1, shorter)
    return rows[:end], theirs[:end]


def _written(model: Any, tokenizer: Any, ids: list[int], most: int) -> tuple[Tensor, Tensor]:
    """What it writes greedily after these tokens, `most` at most, and the log-probabilities of each step, (tokens, vocabulary)."""
    import torch

    from smolrecipes.decoding import Decoding

    how = settings(model, tokenizer, Decoding(), most)
    how.return_dict_in_generate = how.output_logits = True
    read = torch.tensor([ids], device=model.device)
    with untouched(model):
        found = model.generate(input_ids=read, attention_mask=torch.ones_like(read), generation_config=how)
    rows = torch.stack(found.logits, 1)[0].float().cpu().log_softmax(-1)
    return found.sequences[0, -len(rows) :].cpu(), rows
