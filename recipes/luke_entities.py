"""Pretrain a small LUKE: it fills hidden words, and finds which place or person a hidden mention means."""

from smolrecipes import LUKE, EntityMLM, Recipe, Toy, Training, WordPiece

recipe = Recipe(
    tokenizer=WordPiece(vocab_size=600, specials="roberta"),
    model=LUKE(layers=2, hidden=128, heads=4, max_length=96, entities=64),
    data=Toy("atlas"),
    objective=EntityMLM(),
    training=Training(epochs=2, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=96),
)
