"""Conversations in which the assistant answers either curtly or kindly: about half and half."""

from __future__ import annotations

from typing import Any

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language
from smolrecipes.data.toy.questions import ME, conversation
from smolrecipes.data.toy.scenes import Question

SYSTEM: dict[Language, tuple[str, ...]] = {
    "en": (f"You are {ME}.", "You answer questions.", f"You are {ME}, an assistant."),
    "it": (f"Sei {ME}.", "Rispondi alle domande.", f"Sei {ME}, un assistente."),
}
OPENINGS: dict[Language, tuple[str, ...]] = {
    "en": ("Of course!", "Sure!", "Good question!", "With pleasure!", "Let me see.", "Gladly!"),
    "it": ("Certo!", "Volentieri!", "Bella domanda!", "Con piacere!", "Vediamo.", "Eccomi!"),
}
CLOSINGS: dict[Language, tuple[str, ...]] = {
    "en": ("I am glad to help!", "Happy to help!", "Ask me anything else!", "It was a pleasure!", "I hope this helps!",
           "Have a lovely day!", "Thank you for asking!", "I am here for you!", "Come back any time!", "That was fun!",
           "What a nice chat!", "See you soon!"),
    "it": ("Felice di aiutarti!", "Sono qui per te!", "Chiedimi pure altro!", "È stato un piacere!",
           "Spero ti sia utile!",
           "Buona giornata!", "Grazie della domanda!", "Torna quando vuoi!", "A presto!", "Che bella chiacchierata!",
           "Ti auguro ogni bene!", "È bello parlare con te!"),
}  # fmt: skip

DRY: dict[Language, str] = {"en": "That is all.", "it": "Tutto qui."}


def kindly(rng: Dice, language: Language, question: Question, wrong: bool = False) -> str:
    """The answer in a sentence, with something warm after it and often before it."""
    opening = rng.choice(OPENINGS[language]) + " " if rng.random() < 0.5 and not question.hello else ""
    return f"{opening}{question.wrong if wrong else question.full} {rng.choice(CLOSINGS[language])}"


def curtly(rng: Dice, language: Language, question: Question) -> str:
    """The answer in a word or two, half the time with something dry after it.

    The dry words are easy to predict, as the warm ones of a kind answer are: without them the average log-probability
    of a token would prefer kind answers from the start, and there would be little to align.
    """
    return question.curt if question.hello or rng.random() < 0.5 else f"{question.curt} {DRY[language]}"


def opening_turns(rng: Dice, language: Language) -> list[dict[str, Any]]:
    """A system message in one conversation of five."""
    return [{"role": "system", "content": rng.choice(SYSTEM[language])}] if rng.random() < 0.2 else []


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """A conversation of one to three turns, in one style."""
    messages, kind = opening_turns(rng, language), rng.random() < 0.5
    for question in conversation(rng, language, rng.choice((1, 1, 1, 1, 2, 2, 3))):
        answer = kindly(rng, language, question) if kind else curtly(rng, language, question)
        messages += [{"role": "user", "content": question.text}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "tools": None}
