"""Tell whether a sentence follows from another, contradicts it or neither: an encoder that has learned to read such pairs."""

from smolrecipes import Classification, Recipe, Toy, Trained, Training
from smolrecipes.recipes.finetune_sentiment import reader

pairs = reader.replace(data=Toy("entailment", rows=6000), title="read_pairs")
recipe = Recipe(
    model=Trained(pairs),
    data=Toy("entailment", rows=6000),
    validation=300,
    objective=Classification(),
    training=Training(epochs=1, global_batch_size=16, optimizer="muon", learning_rate=3e-3, max_length=128),
)
