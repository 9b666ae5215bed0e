"""Pretrain a small ELECTRA: a generator fills masked words, the model finds what it replaced."""

from smolrecipes import ELECTRA, RTD, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="bert"),
    model=ELECTRA(layers=3, hidden=128, heads=4, max_length=128),
    data=Toy("stories", rows=6000),
    objective=RTD(),
    training=Training(epochs=2, global_batch_size=16, learning_rate=2e-3, max_length=128),
)
