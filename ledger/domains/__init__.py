"""The kinds of transactions, one folder a domain: `state.py` has its records, each other module one kind and its rule."""
