"""The control tokens of each family, and where they stand around a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

EOS, PAD, UNK = "<|endoftext|>", "<|pad|>", "<|unk|>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"

Family: TypeAlias = Literal["gpt", "bert", "distilbert", "roberta", "bart", "t5", "marian", "xlnet", "xlm", "m2m100"]


@dataclass(frozen=True)
class Specials:
    """One family's control tokens by their role, in the order of their ids, and its template."""

    roles: dict[str, str]
    """bos, eos, unk, sep, pad, cls, mask: what transformers calls `<role>_token`."""
    single: str = ""
    """Where they stand around one text: `[CLS] $A [SEP]`; nothing is added where it is empty."""
    pair: str = ""
    """And around two; `:1` is the token type."""
    types: bool = False
    """Whether the family reads `token_type_ids`."""

    def template(self, ids: dict[str, int]) -> Any:
        """The post-processor that adds them, given the ids of all tokens; None when nothing is added."""
        from tokenizers.processors import TemplateProcessing

        if not self.single:
            return None
        used = dict.fromkeys(part.split(":")[0] for part in self.pair.split() if not part.startswith("$"))
        return TemplateProcessing(
            single=self.single, pair=self.pair, special_tokens=[(token, ids[token]) for token in used]
        )


GPT = Specials({"eos": EOS, "pad": PAD})
BERT = Specials(
    {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "bos": "[CLS]", "eos": "[SEP]"},
    "[CLS] $A [SEP]",
    "[CLS] $A [SEP] $B:1 [SEP]:1",
    types=True,
)
DISTILBERT = Specials(BERT.roles, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")
ROBERTA = Specials(
    {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>", "cls": "<s>", "sep": "</s>"},
    "<s> $A </s>",
    "<s> $A </s> </s> $B </s>",
)
T5 = Specials({"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}, "$A </s>", "$A </s> $B </s>")
XLNET = Specials(
    {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "cls": "<cls>", "sep": "<sep>", "pad": "<pad>", "mask": "<mask>"},
    "$A <sep> <cls>:2",
    "$A <sep> $B:1 <sep>:1 <cls>:2",
    types=True,
)
XLM = Specials(
    {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>", "cls": "</s>", "sep": "</s>"},
    "</s> $A </s>",
    "</s> $A </s> $B </s>",
)
M2M100 = Specials({"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}, "$A </s>", "$A </s> $B </s>")

SPECIALS: dict[Family, Specials] = {
    "gpt": GPT,
    "bert": BERT,
    "distilbert": DISTILBERT,
    "roberta": ROBERTA,
    "bart": ROBERTA,
    "t5": T5,
    "marian": T5,
    "xlnet": XLNET,
    "xlm": XLM,
    "m2m100": M2M100,
}
"""By the name that the option `specials` of a tokenizer has, and `Scratch.specials` of an architecture."""

SENTINELS = {"t5": 100}
"""How many sentinels a family has when it is not said."""
