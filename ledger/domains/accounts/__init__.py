"""Coin and who may sign for an account."""
