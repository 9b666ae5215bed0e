"""Pretrain a small BART: it reads damaged texts, their sentences in disorder, and writes them as they were."""

from smolrecipes import BART, Infilling, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="bart"),
    model=BART(layers=2, hidden=128, heads=4, max_length=64),
    data=Toy("reviews"),
    objective=Infilling(documents="separate"),
    training=Training(epochs=2, global_batch_size=32, optimizer="muon", learning_rate=5e-3, max_length=64),
)
