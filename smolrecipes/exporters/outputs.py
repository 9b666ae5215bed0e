"""What a model makes of some tokens, whatever its head."""

from __future__ import annotations

from typing import Any

from smolrecipes.generate import untouched


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
