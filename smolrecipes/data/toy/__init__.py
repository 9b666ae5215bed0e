"""Text that is generated on the spot, seeded, in English and Italian."""
