"""All SQL of the node: tables, engine, blocks, state, read model, migrations."""
