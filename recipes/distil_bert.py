"""Distil the small BERT into a DistilBERT of half its layers, which begins as every second one of them."""

from smolrecipes import DistilBERT, MLMDistillation, Recipe, Trained, Training
from smolrecipes.recipes.pretrain_mlm_bert import recipe as bert

recipe = Recipe(
    model=DistilBERT(layers=2, hidden=128, heads=4, max_length=128),
    data=bert.data,
    objective=MLMDistillation(teacher=Trained(bert), rate=0.25, unit="word", documents="separate"),
    training=Training(epochs=1, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=128),
)
