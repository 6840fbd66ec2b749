"""Talking to other nodes. Nothing here opens a socket or reads a clock: time, randomness and transport are passed in."""
