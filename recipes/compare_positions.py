"""One decoder with one kind of positions; trained once for each kind, its held-out losses compare them (docs/architectures.md)."""

from smolrecipes import CLM, Characters, Decoder, Recipe, Toy, Training

recipe = Recipe(
    tokenizer=Characters(),
    model=Decoder(layers=4, hidden=128, heads=4, max_length=128, positions="rotary"),
    data=Toy("stories", rows=2000),
    validation=0.1,
    objective=CLM(),
    training=Training(steps=600, global_batch_size=12, max_length=128, learning_rate=2e-3, final_rate=0.1),
)
