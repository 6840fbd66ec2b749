"""A miner for any node's Stratum port: what `fansumer mine` runs."""
