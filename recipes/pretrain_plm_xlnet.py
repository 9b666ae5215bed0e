"""Pretrain a small XLNet: words predicted in any order, from those before them in it."""

from smolrecipes import PLM, Recipe, Toy, Training, Unigram, XLNet

recipe = Recipe(
    tokenizer=Unigram(vocab_size=1000, specials="xlnet"),
    model=XLNet(layers=3, hidden=128, heads=4, max_length=64),
    data=Toy("reviews"),
    objective=PLM(documents="separate"),
    training=Training(steps=400, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=64),
)
