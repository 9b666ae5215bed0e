"""Pretrain a small Llama from scratch, tokenizer included, on generated stories in English and Italian."""

from smolrecipes import CLM, ByteBPE, Llama, Recipe, Toy, Training

recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=1024),
    model=Llama(layers=4, hidden=128, heads=4),
    data=Toy("stories", rows=6000),
    objective=CLM(),
    training=Training(epochs=1, global_batch_size=16, learning_rate=3e-3, max_length=256),
)
