"""Every face a person sees: HTTP, wallet, command line, web page. No rule of the ledger is written here a second time."""
