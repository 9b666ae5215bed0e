"""Questions on a short text, whose answer stands in it: about one of several people or things that the text tells of."""

from __future__ import annotations

import re
from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.scenes import scene


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Two or three facts, and a question about one of them."""
    while True:  # what is to be counted does not stand in the text
        facts = scene(rng, language, rng.randint(2, 3))
        fact = rng.choice(facts)
        asked = rng.choice(fact.questions)
        found = re.search(rf"\b{re.escape(asked.curt[:-1])}\b", fact.text, re.IGNORECASE)
        if found:
            start = sum(len(before.text) + 1 for before in facts[: facts.index(fact)]) + found.start()
            context = " ".join(each.text for each in facts)
            return {
                "question": asked.text,
                "context": context,
                "answers": {"text": [found[0]], "answer_start": [start]},
            }
