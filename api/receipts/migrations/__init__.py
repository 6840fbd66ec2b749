"""The receipt store's schema, version by version."""
