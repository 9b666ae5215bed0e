"""A small Llama from scratch that first learns to copy, and then reads conversations with and without functions, every token of them."""

from smolrecipes import SFT, ByteBPE, Llama, Mix, Recipe, Toy, Trained, Training

chats, calls = Toy("chat", rows=2000, seed=1), Toy("functions", rows=2000, seed=1)
copier = Recipe(
    tokenizer=ByteBPE(Mix((chats, Toy("dictation", rows=2000, seed=1), calls)), vocab_size=1024),
    model=Llama(layers=3, hidden=128, heads=4),
    data=Toy("dictation", rows=16000, seed=1),
    objective=SFT(),
    training=Training(epochs=1, global_batch_size=16, optimizer="muon", learning_rate=5e-3),
    title="learn_to_copy",
)
read = Training(epochs=1, global_batch_size=8, optimizer="muon", learning_rate=3e-3)
data = Mix((chats, Toy("dictation", rows=2000, seed=2), calls))
recipe = Recipe(model=Trained(copier), data=data, objective=SFT(learn="all"), training=read)
