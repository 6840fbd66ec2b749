"""The law of the fansumer ledger: pure, deterministic, printable.

Nothing in this package reads a clock, draws randomness, touches a disk or a socket, or uses floating point. It imports the
standard library, msgpack, cryptography and bech32m, and nothing else. The normative text is in `ledger/spec/`.
"""
