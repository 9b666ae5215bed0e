"""Pretrain a small ELECTRA: a generator fills masked words, the model finds what it replaced."""

from smolrecipes import ELECTRA, RTD, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="bert"),
    model=ELECTRA(layers=2, hidden=128, heads=4, max_length=64),
    data=Toy("reviews"),
    objective=RTD(documents="separate"),
    training=Training(epochs=3, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=64),
)
