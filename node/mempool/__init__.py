"""Transactions that wait for a block: `pool` is the mechanism, `policy` what this node takes in."""
