"""The demonstration: a grocer's year of purchases, replayed as a chain."""
