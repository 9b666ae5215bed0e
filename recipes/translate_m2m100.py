"""Train a small M2M100 to translate between English and Italian, told by tokens which language is which."""

from smolrecipes import M2M100, Recipe, Toy, Training, Translation, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="m2m100", languages=("en", "it")),
    model=M2M100(layers=2, hidden=128, heads=4, max_length=64),
    data=Toy("translations"),
    objective=Translation(language_tokens=True),
    training=Training(epochs=2, global_batch_size=32, learning_rate=2e-3, max_length=64),
)
