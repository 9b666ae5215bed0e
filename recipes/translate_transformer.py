"""Train the Transformer of 2017 to translate between English and Italian."""

from smolrecipes import Recipe, Toy, Training, Transformer, Translation, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="marian"),
    model=Transformer(layers=2, hidden=128, heads=4, max_length=64),
    data=Toy("translations"),
    objective=Translation(),
    training=Training(epochs=2, global_batch_size=32, learning_rate=2e-3, max_length=64),
)
