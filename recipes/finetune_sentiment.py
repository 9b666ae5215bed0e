"""Tell good reviews from bad ones: an encoder that first learns to read them, from scratch, and then to judge them."""

from smolrecipes import MLM, Classification, ModernBERT, Recipe, Toy, Trained, Training, WordPiece

reader = Recipe(
    tokenizer=WordPiece(vocab_size=1500, specials="distilbert"),
    model=ModernBERT(layers=3, hidden=128, heads=4, max_length=128),
    data=Toy("reviews", rows=6000),
    objective=MLM(rate=0.25, documents="separate"),
    training=Training(epochs=1, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=128),
    title="read_reviews",
)
judge = Training(epochs=2, global_batch_size=16, optimizer="muon", learning_rate=3e-3, max_length=128)
recipe = Recipe(
    model=Trained(reader), data=Toy("reviews", rows=3000), validation=300, objective=Classification(), training=judge
)
