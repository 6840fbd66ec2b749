"""The receipt store: purchases of fans with their lines, off chain, personal, erasable. Each is bound to the chain by its hash."""
