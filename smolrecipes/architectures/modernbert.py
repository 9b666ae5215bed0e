"""ModernBERT, from scratch by canonical sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolrecipes.architectures.encoder import Encoder
from smolrecipes.architectures.special import special
from smolrecipes.limits import Positive

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase
    from typing_extensions import Self


class ModernBERT(Encoder, name="modernbert"):
    """BERT with today's blocks: rotary positions, gated units, windows in two blocks of three (arXiv:2412.13663)."""

    specials = "distilbert"
    rotary = True
    gated = True
    exact = True

    ffn: Positive | None = None
    """Width of the gated feed-forward layer; 8/3 of hidden, rounded up to a multiple of 32, when None."""
    max_length: Positive = 1024
    """Positions the model is declared for."""
    window: Positive = 128
    """Tokens that blocks with a window see, half of them to each side."""
    full_every: Positive = 3
    """The first of every so many blocks sees all tokens."""
    rope_theta: float = 160_000.0
    """Base of the rotary frequencies where all is seen (arXiv:2104.09864); 10,000 in blocks with a window."""

    @classmethod
    def base(cls) -> Self:
        """149 million parameters."""
        return cls(layers=22, hidden=768, heads=12, ffn=1152, max_length=8192)

    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        from transformers import ModernBertConfig

        found = special(tokenizer, self)
        kinds = ("sliding_attention", "full_attention")
        local = {"rope_type": "default", "rope_theta": 10_000.0}
        own = {"embedding_dropout": self.dropout, "mlp_dropout": self.dropout, "attention_dropout": self.dropout}
        given = self.sizes(tokenizer)
        given["hidden_activation"] = given.pop("hidden_act")
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            given.pop(name)
        return ModernBertConfig(
            **given,
            **own,
            cls_token_id=found["cls"],
            sep_token_id=found["sep"],
            local_attention=self.window,
            layer_types=[kinds[block % self.full_every == 0] for block in range(self.layers)],
            rope_parameters=dict(zip(kinds, (local, {**local, "rope_theta": self.rope_theta}))),
        )

    def parameters(self, vocabulary: int) -> int:
        h = self.hidden
        blocks = self.layers * (4 * h * h + 3 * h * self.width + 2 * h) - h  # the first has no norm before attention
        head = h * h + h + vocabulary + (0 if self.tied else vocabulary * h)
        return vocabulary * h + h + blocks + h + head
