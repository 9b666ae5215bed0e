"""Train small language models end to end. Nothing heavy is imported here."""
