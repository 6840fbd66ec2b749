"""What can be wrong with a brand's books, each with a stable code: what an audit of receipts reports."""

from typing import Final

from ledger.errors import Code

ADVICE_SHOW: Final = "Show it to the brand; a receipt that its till signed can be contested."
ADVICE_ASK: Final = "Ask the brand for what is missing, and for its reason."

UNREADABLE = Code("receipts.unreadable", "{file} can't be read: {reason}", "Ask for the file again.")
OTHER_PROGRAM = Code(
    "receipts.other_program", "receipt {receipt} is of the program {program}", "Take it out, or audit that program."
)
NOT_SIGNED = Code(
    "receipts.signature", "receipt {receipt} is not signed by the till that it names, for this chain", ADVICE_SHOW
)
NO_TILL = Code(
    "receipts.till",
    "receipt {receipt} is signed at {time:time} by {till}, which was no till of the program then",
    ADVICE_SHOW,
)
WRONG_VERSION = Code(
    "receipts.version",
    "receipt {receipt} names version {version} of the terms, which was not in force at {time:time} nor in the 72 hours before",
    ADVICE_SHOW,
)
WRONG_POINTS = Code(
    "receipts.points", "receipt {receipt} gives {points:point}, and the published rule gives {expected}", ADVICE_SHOW
)
SEQUENCE_TWICE = Code(
    "receipts.sequence_twice", "the till {till} gave the number {sequence} to {count} different receipts", ADVICE_ASK
)
SEQUENCE_GAP = Code(
    "receipts.sequence_gap",
    "of the till {till}, {count:number} between {first} and {last} did not come, the first of them {missing}",
    "Ask the brand: a receipt may have been left out. A till that broke down may have left out single numbers.",
)
BAD_OPENING = Code("receipts.opening", "the opening {file} does not add up: {reason}", ADVICE_ASK)
NO_ENTRY = Code(
    "receipts.no_entry", "the opening {file} opens no entry of the chain (member {member}, period {period})", ADVICE_ASK
)
ENTRY_SKIPPED = Code(
    "receipts.entry_skipped", "the opening {file} opens an entry that the chain did not credit ({result})", ADVICE_ASK
)
ENTRY_TWICE = Code(
    "receipts.entry_twice",
    "the opening {file} opens {count} credited entries: its receipts were settled as often",
    ADVICE_ASK,
)
ENTRY_DIFFERS = Code(
    "receipts.entry_differs",
    "the entry at block {height}, {index} gives {points:point} and carries {remainder}, its opening {expected} and {sealed}",
    ADVICE_ASK,
)
REMAINDER_BEFORE = Code(
    "receipts.remainder_before",
    "the entry at block {height}, {index} starts from another remainder than the member's entry before it sealed",
    ADVICE_ASK,
)
REMAINDER_TOO_LARGE = Code(
    "receipts.remainder_too_large",
    "the entry at block {height}, {index} carries {remainder:point} on; the terms allow {maximum}",
    ADVICE_ASK,
)
OTHER_MEMBER = Code(
    "receipts.other_member",
    "the entry at block {height}, {index} settles receipt {receipt} of another member",
    ADVICE_ASK,
)
OTHER_PERIOD = Code(
    "receipts.other_period",
    "the entry at block {height}, {index} settles receipt {receipt} in period {period}; its time lies in {expected}",
    ADVICE_ASK,
)
OTHER_POINTS = Code(
    "receipts.settled_points",
    "the entry at block {height}, {index} counts {points:point} for receipt {receipt}, which gives {expected}",
    ADVICE_SHOW,
)
SETTLED_LATE = Code(
    "receipts.settled_late",
    "the entry at block {height}, {index} settles period {period} {days:day} after it should have",
    ADVICE_ASK,
)
SETTLED_TWICE = Code("receipts.settled_twice", "receipt {receipt} is settled {count} times", ADVICE_ASK)
NOT_SETTLED = Code(
    "receipts.not_settled",
    "receipt {receipt} over {points:point} should be settled by now, and is not{reason}",
    ADVICE_SHOW,
)
NO_RECEIPT = Code(
    "receipts.no_receipt",
    "the entry at block {height}, {index} settles receipt {receipt}, which is not here",
    ADVICE_ASK,
)
NOT_OPENED = Code(
    "receipts.not_opened",
    "credited entries without an opening here: {count}, over {points:point}, the first at block {height}, {index}",
    ADVICE_ASK,
)
CONTEST_NO_RECEIPT = Code(
    "receipts.contest_no_receipt",
    "a contest credited {points:point} in block {height} for receipt {receipt} (number {sequence} of {till}), which is not here",
    ADVICE_ASK,
)
ISSUED_DIFFERS = Code(
    "receipts.issued",
    "entries gave {entries:point} and contests {contests}, and the program issued {issued} in all",
    "The store or the dump is damaged; verify it with `fansumer audit verify`.",
)
OPEN_DIFFERS = Code(
    "receipts.open_differs",
    "the open entry at block {height}, {index} says other things than receipt {receipt}",
    ADVICE_ASK,
)
