"""A GPT-2 of characters in about a minute on a CPU, by nanoGPT's settings; your own text: data=my.txt data.rows=files."""

from smolrecipes import CLM, GPT2, Characters, Recipe, Toy, Training

recipe = Recipe(
    tokenizer=Characters(),
    model=GPT2(layers=4, hidden=128, heads=4, max_length=64, activation="gelu"),
    data=Toy("stories", rows=5600),
    validation=0.1,
    holdout="last",
    objective=CLM(),
    training=Training(
        steps=2000, global_batch_size=12, max_length=64, learning_rate=1e-3, final_rate=0.1, weight_decay=0.1,
        hf={"adam_beta2": 0.99},
    ),
)  # fmt: skip
