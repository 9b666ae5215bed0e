"""Asking a trained model, by its head: it fills, judges, tags, points, chooses, translates or continues."""

from smolrecipes.ask.answer import Answer
from smolrecipes.ask.ask import ask

__all__ = ["Answer", "ask"]
