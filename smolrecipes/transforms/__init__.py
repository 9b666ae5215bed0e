"""Steps of data preparation."""
