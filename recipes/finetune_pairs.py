"""Tell whether two sentences tell of the same: an encoder that first learns to read such pairs, and then to compare them."""

from smolrecipes import Classification, Recipe, Toy, Trained, Training
from smolrecipes.recipes.finetune_sentiment import reader

pairs = reader.replace(data=Toy("paraphrases", rows=3000), title="read_pairs")
recipe = Recipe(
    model=Trained(pairs),
    data=Toy("paraphrases", rows=6000),
    validation=300,
    objective=Classification(),
    training=Training(epochs=2, global_batch_size=16, optimizer="muon", learning_rate=2e-3, max_length=128),
)
