"""Challenges: points for whoever reaches a goal in its days, within a budget that is set aside (spec CHL)."""
