"""Conversations: as text, cut where they spell control tokens, as token ids. Below all that trains and answers."""
