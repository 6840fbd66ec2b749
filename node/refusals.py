"""Why the chain does not take a block, beyond what the ledger itself says of it."""

from ledger.errors import Code

UNKNOWN_PARENT = Code("block.unknown_parent", "its parent {parent} is not known here", "Send the parent first.")
TOO_EARLY = Code(
    "block.too_early",
    "its time {time} is {ahead} s ahead of this node's clock; {maximum} s are allowed",
    "Send it again later, and check both clocks.",
)
KNOWN_INVALID = Code("block.known_invalid", "it, or a block below it, is invalid: {reason}", "Mine on another block.")
BAD_TRANSACTION = Code(
    "block.transaction", "transaction {position} is not valid: {reason}", "Mine on the parent without it."
)
