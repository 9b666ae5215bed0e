"""What all architectures from scratch share: the options, their checks, and the line from sizes to a checked model."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from smolrecipes.architectures.budget import Plan, plan
from smolrecipes.component import option
from smolrecipes.errors import RecipeError
from smolrecipes.kinds import Architecture
from smolrecipes.limits import Gt, Positive

if TYPE_CHECKING:
    import dataclasses

    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
    from typing_extensions import Self

FIRST = ("layers", "decoder_layers", "hidden", "heads", "kv_heads", "head_size", "ffn", "embedding_size", "max_length")
LAST = ("tied", "init_std", "attention")


class Scratch(Architecture):
    """A new model by canonical sizes. Vocabulary and special ids are the tokenizer's, weights follow torch's seed."""

    specials: ClassVar[str] = "gpt"
    """Whose control tokens it expects of its tokenizer, by any names: what the tokenizers' option `specials` is for it."""
    head: ClassVar[str] = "causal"
    """The head it is pretrained with."""
    rotary: ClassVar[bool] = False
    """Whether it turns pairs of a head's dimensions."""
    exact: ClassVar[bool] = False
    """Whether packing was tested to be exact (tests/test_attention.py)."""
    step: ClassVar[int] = 1
    """Its blocks come in multiples of it."""
    gated: ClassVar[bool] = False
    """Whether its feed-forward layer has a gate, a third matrix."""

    layers: Positive = 4
    """Transformer blocks."""
    hidden: Positive = 192
    """Width of the residual stream; a multiple of `heads`."""
    heads: Positive = 6
    """Attention heads."""
    ffn: Positive | None = None
    """Width of the feed-forward layer; 4 times hidden when None."""
    max_length: Positive = 512
    """Tokens it reads at most."""
    tied: bool = True
    """Share the embedding with the output head."""
    init_std: Annotated[float, Gt(0)] | None = None
    """Standard deviation of the first weights; sqrt(2 / (5 hidden)) when None (arXiv:1910.05895): narrow models that
    start from transformers' 0.02 learn far more slowly."""
    attention: Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"] = option(
        default="sdpa", affects_weights=False
    )
    """transformers' attention implementation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = getattr(self, "head_size", None)
        size = given or self.hidden / self.heads
        if size % (2 if self.rotary else 1):
            derived = f"hidden={self.hidden} over heads={self.heads} is {size:g} per head"
            rule = "rotary positions need a whole, even size" if self.rotary else "it must be whole"
            change = "change it" if given else "change one of them"
            raise RecipeError(f"{type(self).__name__}: {f'head_size={given}' if given else derived}; {rule}: {change}")

    @classmethod
    def options(cls) -> dict[str, dataclasses.Field[Any]]:
        """The options in one order for all families: sizes, what is the family's own, how it starts and runs."""
        found = super().options()
        own = [name for name in found if name not in (*FIRST, *LAST)]
        return {name: found[name] for name in (*FIRST, *own, *LAST) if name in found}

    @property
    def width(self) -> int:
        """Of the feed-forward layer."""
        return self.ffn or (-(-self.hidden * 8 // 3 // 32) * 32 if self.gated else 4 * self.hidden)

    @property
    def embeddings(self) -> int:
        """Width of the table of embeddings."""
        return self.hidden

    @property
    def depths(self) -> tuple[int, int]:
        """Blocks of encoder and decoder, or of the only one there is and none."""
        return self.layers, 0

    @property
    def computed_by(self) -> str:
        """The implementation of attention that is used."""
        return self.attention

    @property
    def shares(self) -> bool:
        """Whether the embedding is also the output head."""
        return self.tied

    @property
    def std(self) -> float:
        """Of the first weights."""
        return self.init_std or (2 / (5 * self.hidden)) ** 0.5

    @abstractmethod
    def config(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
        """transformers' config of these sizes, its special ids the tokenizer's."""

    @abstractmethod
    def parameters(self, vocabulary: int) -> int:
        """Weights of the model with the head it is pretrained with."""

    def build(self, tokenizer: PreTrainedTokenizerBase, head: str = "", labels: int = 0) -> PreTrainedModel:
        """A new model with the head that the objective asks for; the one it is pretrained with when none is named."""
        from smolrecipes.architectures.heads import with_head
        from smolrecipes.architectures.sizes import check, check_memory

        check_memory(type(self).__name__, self.parameters(len(tokenizer)))
        head = head or self.head
        return check(with_head(self._config(tokenizer, head), head, labels), self, len(tokenizer))

    def outline(self, tokenizer: PreTrainedTokenizerBase, head: str = "", labels: int = 0) -> Any:
        from smolrecipes.architectures.heads import outlined

        head = head or self.head
        return outlined(self._config(tokenizer, head), head, labels)

    def _config(self, tokenizer: PreTrainedTokenizerBase, head: str) -> PreTrainedConfig:
        """The config with how attention is computed, of a model that has the head."""
        from smolrecipes.architectures.heads import check_offered

        config = self.config(tokenizer)
        check_offered(type(self).__name__, config.model_type, self.family, head)
        config._attn_implementation = self.computed_by
        return config

    def packs(self, model: PreTrainedModel) -> bool:
        return self.exact and self.computed_by == "sdpa"

    @classmethod
    def plan(cls, budget: int | str, vocabulary: int | None = None, tokens: int | None = None) -> Plan[Self]:
        """Balanced sizes and a vocabulary for a budget of parameters, such as "10M", and why.

        vocabulary: its size where a tokenizer is there; else one is proposed. tokens: how many the data has, roughly.
        """
        return plan(cls, budget, vocabulary, tokens)

    @classmethod
    def sized(cls, budget: int | str, vocabulary: int | None = None, tokens: int | None = None) -> Self:
        """The model of `plan`, which also says why."""
        return cls.plan(budget, vocabulary, tokens).model
