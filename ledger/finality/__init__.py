"""What attestors sign, and what it proves: sets, votes, certificates, evidence (spec FIN). Pure: no state is read here.

The records and kinds of finality are in `ledger/domains/finality/`; a node's bookkeeping is in `node/finality/`.
"""
