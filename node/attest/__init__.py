"""An attestor: what it votes for, and the record on disk that keeps it from ever signing two votes that conflict (spec ATT)."""
