"""Weights of the parts that most families are made of."""

from __future__ import annotations


def attention(hidden: int) -> int:
    """Queries, keys, values and output, with biases."""
    return 4 * linear(hidden, hidden)


def linear(inputs: int, outputs: int) -> int:
    """A matrix and a bias."""
    return inputs * outputs + outputs


def block(hidden: int, width: int) -> int:
    """Attention and a feed-forward layer, with biases and two LayerNorms."""
    return attention(hidden) + linear(hidden, width) + linear(width, hidden) + 4 * hidden


def prediction(hidden: int, table: int, vocabulary: int, tied: bool) -> int:
    """BERT's head for masked words: a layer, a LayerNorm, and the table of embeddings with a bias."""
    return linear(hidden, table) + 2 * table + vocabulary + (0 if tied else vocabulary * table + vocabulary)
