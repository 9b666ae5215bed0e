"""Pretrain a small XLM on sentences beside their translations: a word hidden in one is read in the other."""

from smolrecipes import TLM, XLM, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=1000, specials="xlm"),
    model=XLM(layers=2, hidden=128, heads=4, max_length=96, languages=2),
    data=Toy("translations"),
    objective=TLM(),
    training=Training(epochs=2, global_batch_size=32, optimizer="muon", learning_rate=5e-3, max_length=96),
)
