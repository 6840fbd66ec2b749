"""The schema of the pool's book, version by version."""
