"""Asking a trained model, by its head: it fills, judges, tags, points, chooses, translates or continues."""

from smolrecipes.ask.ask import Answer, ask

__all__ = ["Answer", "ask"]
