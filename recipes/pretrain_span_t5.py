"""Pretrain a small T5: it reads texts with holes and writes what was in them."""

from smolrecipes import T5, Recipe, SpanCorruption, Toy, Training, Unigram

recipe = Recipe(
    tokenizer=Unigram(vocab_size=1000, specials="t5", sentinels=8),
    model=T5(layers=2, hidden=128, heads=4),
    data=Toy("reviews"),
    objective=SpanCorruption(documents="separate"),
    training=Training(epochs=3, global_batch_size=32, optimizer="muon", learning_rate=5e-3, max_length=64),
)
