"""Recipes that ship: short files, importable from anywhere as `smolrecipes.recipes`."""
