"""Pretrain a small Llama from scratch, tokenizer included, on generated stories in English and Italian."""

from smolrecipes import CLM, ByteBPE, Llama, Recipe, Toy, Training

recipe = Recipe(
    tokenizer=ByteBPE(vocab_size=1536),
    model=Llama(layers=3, hidden=128, heads=4, kv_heads=2),
    data=Toy("stories", rows=5600),
    objective=CLM(),
    training=Training(epochs=1, global_batch_size=16, learning_rate=4e-3, max_length=128),
)
