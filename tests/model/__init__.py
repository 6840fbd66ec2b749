"""A second, plain model of the ledger's rules, and a machine that holds it against the ledger.

Written from `ledger/spec/` alone by somebody who never opened `ledger/domains`: where both agree, the text says what it must. The
model keeps each record as a named tuple in the order of the spec's fields, in one dictionary per table, and each rule is a function
that reads like its paragraph. It is slow, knows no slots and no undo (a former state is a copy), and hashes only where an id or a
seal needs it, with the functions of `tests.second_decoder`. A transaction comes to it as the canonical array of the spec, so that
it shares no class with the ledger.

Where the text and the ledger were found to differ, the model does what the ledger does, and says so at its place:

- `earn.dates_of`: until when a batch is kept, where a version that was in force in an entry's period has other periods (LOY-11);
- `points.versions_nameable`: a version that was replaced in the second in which it came (LOY-6);
- `points.give_points_back`: expired lots are dropped also where no lot comes back (LOY-13).
"""
