"""Ways to obtain or train a tokenizer."""
