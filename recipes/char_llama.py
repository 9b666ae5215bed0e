"""The size of char_gpt with what is known today: rotary positions, RMSNorm, gated units, Muon, a rate that falls to zero."""

from smolrecipes import CLM, Characters, Llama, Recipe, Toy, Training

recipe = Recipe(
    tokenizer=Characters(),
    model=Llama(layers=4, hidden=128, heads=4, max_length=64),
    data=Toy("stories", rows=5600),
    validation=0.1,
    holdout="last",
    objective=CLM(),
    training=Training(
        steps=1000, global_batch_size=12, max_length=64, optimizer="muon", learning_rate=5e-3, schedule="linear",
        weight_decay=0.1,
    ),
)  # fmt: skip
