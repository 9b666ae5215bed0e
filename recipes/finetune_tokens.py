"""Find the names of people, places and shops in sentences, most of them names that were never seen before."""

from smolrecipes import Recipe, TokenClassification, Toy, Trained, Training
from smolrecipes.recipes.finetune_sentiment import reader

sentences = reader.replace(data=Toy("names", rows=4000), title="read_names")
recipe = Recipe(
    model=Trained(sentences),
    data=Toy("names", rows=4000),
    validation=300,
    objective=TokenClassification(),
    training=Training(epochs=1, global_batch_size=16, optimizer="muon", learning_rate=3e-3, max_length=128),
)
