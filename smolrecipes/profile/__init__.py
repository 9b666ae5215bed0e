"""What rows look like: how long, in which languages, how often the same, and what is odd about them."""
