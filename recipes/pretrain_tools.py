"""A small Llama from scratch that has read conversations, with and without functions: every token of them is learned."""

from smolrecipes import SFT, ByteBPE, Llama, Mix, Recipe, Toy, Training

recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=2048),
    model=Llama(layers=3, hidden=128, heads=4),
    data=Mix((Toy("chat", rows=3000, seed=1), Toy("functions", rows=4000, seed=1))),
    objective=SFT(learn="all"),
    training=Training(epochs=1, global_batch_size=8, optimizer="muon", learning_rate=5e-3, max_length=512),
)
