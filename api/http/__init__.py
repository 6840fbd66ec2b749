"""The node over HTTP: reads from the store, transactions in, nothing signed here."""
