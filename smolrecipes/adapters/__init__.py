"""What is trained instead of all the weights."""
