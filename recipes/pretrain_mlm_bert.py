"""Pretrain a small BERT: it reads sentences with hidden words from both sides."""

from smolrecipes import BERT, MLM, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="bert"),
    model=BERT(layers=4, hidden=128, heads=4, max_length=128),
    data=Toy("reviews"),
    objective=MLM(rate=0.25, unit="word", documents="separate"),
    training=Training(epochs=2, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=128),
)
