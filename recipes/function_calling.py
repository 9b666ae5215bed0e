"""Call functions: a LoRA on conversations with functions in the prompt, whose answers are calls as JSON."""

from smolrecipes import SFT, Forgetting, FunctionCalls, LoRA, Recipe, Toy, Trained, Training
from smolrecipes.recipes.pretrain_tools import recipe as base

recipe = Recipe(
    model=Trained(base),
    data=Toy("functions", rows=8000),
    validation=200,
    objective=SFT(),
    adapter=LoRA(r=32, alpha=64),
    training=Training(epochs=1, global_batch_size=8, learning_rate=3e-3, max_length=512),
    evaluators=(FunctionCalls(), Forgetting(data=Toy("chat", rows=200, seed=2))),
)
