"""A second decoder of the ledger's formats, written from ledger/spec alone.

It imports nothing of the project and no library outside of Python's own. It was written without a look at the first decoder, so
where both agree on the golden vectors, the text says what it must. Its modules follow the chapters of the text.
"""
