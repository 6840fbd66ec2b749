"""Real nodes in processes of their own, killed and cut off at random while people send transactions."""
