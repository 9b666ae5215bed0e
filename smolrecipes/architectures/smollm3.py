"""SmolLM3, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from smolrecipes.architectures.llama import Rotary
from smolrecipes.limits import Ge

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase


class SmolLM3(Rotary, name="smollm3"):
    """Llama, of which some blocks see no positions (SmolLM3, 2025; arXiv:2501.18795)."""

    no_rope_every: Annotated[int, Ge(0)] = 4
    """Every so many blocks have no positions: 1 leaves all of them without, 0 gives all of them rotary ones."""

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import SmolLM3Config

        every = self.no_rope_every
        return SmolLM3Config(
            **self.sizes(tokenizer),
            no_rope_layers=[int(not every or (block + 1) % every != 0) for block in range(self.layers)],
            rope_parameters=self.rope(),
        )
