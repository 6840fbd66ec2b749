"""What members ask, how they vote, what is answered, and what becomes of it."""
