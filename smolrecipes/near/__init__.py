"""Which texts are nearly the same: runs of words, MinHash, and an exact comparison of those that it brings together."""
