"""Align the small chat model on preference pairs: DPO, training only a LoRA; the same data and budget as orpo_lora."""

from smolrecipes import DPO
from smolrecipes.recipes.orpo_lora import recipe as orpo

recipe = orpo.replace(objective=DPO(beta=0.1))
