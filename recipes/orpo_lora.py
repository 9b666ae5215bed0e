"""Align the small chat model on preference pairs: ORPO, training only a LoRA."""

from smolrecipes import ORPO, LoRA, Recipe, Toy, Trained, Training
from smolrecipes.recipes.sft_chat import recipe as chat

recipe = Recipe(
    model=Trained(chat),
    data=Toy("preferences", rows=900),
    validation=100,
    objective=ORPO(beta=0.2),
    adapter=LoRA(r=16, alpha=32),
    training=Training(epochs=1, global_batch_size=16, learning_rate=2e-3, max_length=256),
)
