"""Tell good reviews from bad ones in one word: the small chat model, which learns to read them as it learns to judge them."""

from smolrecipes import SFT, Chats, Classify, Recipe, Toy, Trained, Training
from smolrecipes.recipes.sft_chat import recipe as chat

recipe = Recipe(
    model=Trained(chat),
    data=Chats(Toy("reviews", rows=6000), system="Is the review positive or negative? Answer in one word."),
    validation=300,
    objective=SFT(learn="all"),
    training=Training(epochs=4, global_batch_size=16, optimizer="muon", learning_rate=5e-3, max_length=192),
    evaluators=(Classify(),),
)
