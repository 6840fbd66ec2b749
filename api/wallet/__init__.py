"""The wallet: phrase, derivation and keystore. Everything here runs on the client; the server holds no private key."""
