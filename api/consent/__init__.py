"""What fans allow now: the one place that everything above the ledger asks, and the revocations that it obeys before any block."""
