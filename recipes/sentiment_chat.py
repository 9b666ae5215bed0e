"""Tell good reviews from bad ones in one word: the small chat model, fine-tuned with a system prompt."""

from smolrecipes import SFT, Chats, Classify, Recipe, Toy, Trained, Training
from smolrecipes.recipes.sft_chat import recipe as chat

recipe = Recipe(
    model=Trained(chat),
    data=Chats(Toy("reviews", rows=3000), system="Is the review positive or negative? Answer in one word."),
    validation=300,
    objective=SFT(),
    training=Training(epochs=2, global_batch_size=16, learning_rate=2e-3, max_length=192),
    evaluators=(Classify(),),
)
