"""What labels have in common; no torch, so that checks can read them."""

IGNORE = -100
"""The label of a token that is not learned, as torch's losses have it."""
