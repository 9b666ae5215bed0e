"""Answer questions on a short text by pointing at the words in it that answer them."""

from smolrecipes import QuestionAnswering, Recipe, Toy, Trained, Training
from smolrecipes.recipes.finetune_sentiment import reader

texts = reader.replace(data=Toy("reading", rows=4000), title="read_texts")
recipe = Recipe(
    model=Trained(texts),
    data=Toy("reading", rows=8000),
    validation=300,
    objective=QuestionAnswering(),
    training=Training(epochs=1, global_batch_size=16, learning_rate=2e-3, max_length=128),
)
