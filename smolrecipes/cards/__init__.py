"""The data card: what rows are, where they are from, and what became of them."""
