"""The embedded miner: templates, search in worker processes, publication."""
