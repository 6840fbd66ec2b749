"""Attestors on the chain: which votes it holds, what they made final, and how their set changes."""
