"""Schema versions, in order."""
