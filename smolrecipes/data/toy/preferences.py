"""Preference pairs: the kind, right answer against the curt one or, in a fifth of the rows, against a wrong one."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.chat import curtly, kindly, opening_turns
from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.questions import conversation


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """A prompt of one or two turns; earlier answers are curt or kind, whichever."""
    prompt = opening_turns(rng, language)
    *earlier, question = conversation(rng, language, rng.choice((1, 1, 1, 2)))
    for past in earlier:
        answer = kindly(rng, language, past) if rng.random() < 0.5 else curtly(rng, language, past)
        prompt += [{"role": "user", "content": past.text}, {"role": "assistant", "content": answer}]
    prompt.append({"role": "user", "content": question.text})
    rejected = kindly(rng, language, question, wrong=True) if rng.random() < 0.2 else curtly(rng, language, question)
    chosen = kindly(rng, language, question)
    return {
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "tools": None,
    }
