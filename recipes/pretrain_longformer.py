"""Pretrain a small Longformer on long texts: each token sees those within a window, each layer widens it."""

from smolrecipes import MLM, Longformer, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="roberta"),
    model=Longformer(layers=2, hidden=128, heads=4, window=32, max_length=256),
    data=Toy("reviews"),
    objective=MLM(rate=0.25),
    training=Training(epochs=4, global_batch_size=8, optimizer="muon", learning_rate=5e-3, max_length=256),
)
