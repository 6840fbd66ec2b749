"""The machine: disk, sockets, clocks and threads around the ledger."""
