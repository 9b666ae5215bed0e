"""Evaluators: numbers about a trained model."""
