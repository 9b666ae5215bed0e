"""Rows through the steps of a pipeline: shard by shard, each step kept by its content, and what it did told."""
