"""Coming to the same chain as others: headers first, then bodies from several peers at once."""
