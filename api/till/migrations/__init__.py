"""The till's store's schema, version by version."""
