"""Teach the pretrained model to chat: supervised fine-tuning on what the assistant says, in ChatML."""

from smolrecipes import SFT, Recipe, Toy, Trained, Training
from smolrecipes.recipes.pretrain_clm import recipe as pretrained

recipe = Recipe(
    model=Trained(pretrained),
    data=Toy("chat", rows=4000),
    objective=SFT(),
    training=Training(epochs=1, global_batch_size=16, learning_rate=3e-3, max_length=256),
)
