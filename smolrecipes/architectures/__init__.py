"""Models: from canonical sizes, or with their weights."""
